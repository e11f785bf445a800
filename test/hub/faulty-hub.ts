import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommitRequest, Hub } from '../../src/hub/hub.ts';
import { RemoteHub } from '../../src/hub/remote-hub.ts';
import { startHubServer } from '../../src/hub-server/server.ts';
import type { RepoId } from '../../src/model/artifact.ts';
import { openStore, type Store } from '../../src/store/store.ts';

export const token = 'hf_test';

/** What stands between the client and the server: answers a request itself, or breaks its answer. */
export type Fault = (send: () => Promise<Response>) => Promise<Response>;

export const status =
  (code: number, headers: Record<string, string> = {}): Fault =>
  async () =>
    new Response('{"error":"as told"}', { status: code, headers });
export const lost: Fault = async () => {
  throw new TypeError('fetch failed', { cause: new Error('reset') });
};
export const answerLost: Fault = async (send) => {
  await (await send()).body?.cancel();
  throw new TypeError('fetch failed', { cause: new Error('reset') });
};
export const landedThen =
  (code: number): Fault =>
  async (send) => {
    await (await send()).body?.cancel();
    return new Response('bad gateway', { status: code });
  };

export interface Faulty {
  readonly hub: Hub;
  readonly repo: RepoId;
  /** milliseconds of each wait; none is waited for real */
  readonly pauses: number[];
  readonly request: CommitRequest;
  /** `METHOD PATH` of all that the client sent */
  readonly sent: string[];
}

export interface FaultyServer {
  readonly folder: string;
  readonly store: Store;
  readonly url: string;
  /** A client whose requests that match meet the faults, one after another, as long as there are some left. */
  rig(match: RegExp, faults: Fault[]): Promise<Faulty>;
  commitsOf(repo: RepoId): Promise<{ id: string; title: string; message: string }[]>;
  close(): Promise<void>;
}

export async function startFaultyServer(): Promise<FaultyServer> {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-faults-'));
  const store = await openStore(join(folder, 'hub'));
  const server = await startHubServer({ store, token, secret: 's' });
  let repos = 0;
  return {
    folder,
    store,
    url: server.url,
    rig: async (match, faults) => {
      const pauses: number[] = [];
      const sent: string[] = [];
      const plain = new RemoteHub({ url: server.url, token });
      repos += 1;
      const repo: RepoId = { type: 'dataset', name: `org/faults-${repos}` };
      await plain.createRepo(repo);
      const hub = new RemoteHub({
        url: server.url,
        token,
        pause: async (milliseconds) => pauses.push(milliseconds),
        fetch: async (input, init) => {
          const send = (): Promise<Response> => fetch(input, init);
          sent.push(`${init?.method ?? 'GET'} ${new URL(String(input)).pathname}`);
          const fault = match.test(String(input)) ? faults.shift() : undefined;
          return fault === undefined ? send() : fault(send);
        },
      });
      const parent = (await plain.resolve({ ...repo, revision: 'main' })) ?? '';
      const request = { repo, branch: 'main', parent, message: 'Title\n\nBody', add: [{ path: 'a.txt', content: 'a' }] };
      return { hub, repo, pauses, request, sent };
    },
    commitsOf: async (repo) => {
      const response = await fetch(`${server.url}/api/datasets/${repo.name}/commits/main`, {
        headers: { Authorization: `Bearer ${token}` },
      });
      return (await response.json()) as { id: string; title: string; message: string }[];
    },
    close: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
