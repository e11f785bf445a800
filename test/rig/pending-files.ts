import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

interface Route {
  readonly route: string;
  readonly status?: number;
  readonly body: Readonly<Record<string, unknown>>;
}
const [uploaded, refused] = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/cases/batch-file-pending.json'), 'utf8'),
) as [Route, Route];

export interface PendingFiles {
  /** with the path of the server behind it */
  readonly url: string;
  /** requests so far */
  readonly counts: { uploads: number; refusals: number; creations: number };
  /** From now on a file is processed when it comes. */
  ready(): void;
  close(): Promise<void>;
}

/**
 * Stands before a server with a Batch API, whose files are then processed only after so many refused creations, each file
 * for itself. `looks`: whether it says how a file is, or knows no such route.
 */
export async function startPendingFiles(target: string, refusals: number, looks: 'pending' | 'no route'): Promise<PendingFiles> {
  const { origin, pathname } = new URL(target);
  const counts = { uploads: 0, refusals: 0, creations: 0 };
  const left = new Map<string, number>();
  let most = refusals;

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const { method = 'GET', url = '', headers } = incoming;
    const say = (status: number, said: unknown) => {
      outgoing.writeHead(status, { 'content-type': 'application/json' });
      outgoing.end(JSON.stringify(said));
    };
    if (method === 'POST' && url.endsWith('/batches')) {
      const { input_file_id: id } = JSON.parse(body.toString()) as { input_file_id: string };
      const times = left.get(id) ?? 0;
      left.set(id, times - 1);
      if (times > 0 && most > 0) {
        counts.refusals += 1;
        return say(refused.status ?? 400, refused.body);
      }
      counts.creations += 1;
    }
    const id = /\/files\/([^/]+)$/.exec(url)?.[1];
    if (method === 'GET' && id !== undefined && looks === 'no route') return say(404, { error: { message: 'Not Found' } });
    const type = headers['content-type'];
    const answer = await fetch(`${origin}${url}`, {
      method,
      headers: type === undefined ? {} : { 'content-type': type },
      ...(method === 'GET' ? {} : { body }),
    });
    const text = await answer.text();
    if (method === 'POST' && url.endsWith('/files')) {
      counts.uploads += 1;
      const file = JSON.parse(text) as { id: string };
      left.set(file.id, most);
      return say(200, { ...file, status: uploaded.body.status });
    }
    outgoing.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' });
    outgoing.end(text);
  }

  const server = createServer((incoming, outgoing) => void pass(incoming, outgoing).catch(() => outgoing.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    counts,
    ready() {
      most = 0;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
