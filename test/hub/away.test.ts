import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import { ZephyrError } from '../../src/errors.ts';
import type { CommitRequest, Hub } from '../../src/hub/hub.ts';
import { RemoteHub } from '../../src/hub/remote-hub.ts';
import type { RepoId } from '../../src/model/artifact.ts';
import { type FaultyServer, startFaultyServer, token } from './faulty-hub.ts';

const page = (code: number): Response =>
  new Response('<html><title>Away</title></html>', { status: code, headers: { 'Content-Type': 'text/html' } });
const refused = (): never => {
  throw new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) });
};

/** A client on a clock of its own, which runs on while it waits, and what is done to its requests. */
async function onClock(
  server: FaultyServer,
  doing: (path: string, seconds: () => number, send: () => Promise<Response>) => Promise<Response> | Response,
): Promise<{ hub: Hub; repo: RepoId; request: CommitRequest; said: string[]; sent: string[]; seconds: () => number }> {
  const { repo, request } = await server.rig(/never/, []);
  let ms = 0;
  const said: string[] = [];
  const sent: string[] = [];
  const seconds = (): number => ms / 1000;
  const hub = new RemoteHub({
    url: server.url,
    token,
    now: () => ms,
    pause: async (wait) => {
      ms += wait;
    },
    say: (message) => said.push(message),
    fetch: async (input, init) => {
      const path = new URL(String(input)).pathname;
      sent.push(`${init?.method ?? 'GET'} ${path}`);
      return await doing(path, seconds, () => fetch(input, init));
    },
  });
  return { hub, repo, request, said, sent, seconds };
}

describe('A remote Hub that is away', async () => {
  const server = await startFaultyServer();
  after(server.close);

  for (const [name, away] of [
    ['refuses connections', refused],
    ['answers 502 with a page', () => page(502)],
    ['answers 503 with a page', () => page(503)],
    ['answers 504 with a page', () => page(504)],
  ] as const) {
    it(`is waited for two minutes when it ${name} before a commit and after it`, async () => {
      let from = Number.POSITIVE_INFINITY;
      const { hub, repo, request, said } = await onClock(server, async (path, seconds, send) => {
        if (seconds() >= from && seconds() < from + 120) return away();
        if (!/\/commit\/main/.test(path) || from !== Number.POSITIVE_INFINITY) return await send();
        // the commit lands, its answer is lost, and the Hub goes away
        await (await send()).body?.cancel();
        from = seconds();
        return away();
      });
      const first = await hub.commit(request);
      const [head] = await server.commitsOf(repo);
      assert.deepEqual(first, { ok: true, commit: head?.id });
      assert.equal((await server.commitsOf(repo)).length, 2);
      assert.match(said[0] ?? '', /^waiting for the Hub at http:\S+: (50[234]|connection refused) for \d+ s$/);
      assert.match(said.at(-1) ?? '', /answers again after 2 min/);
      assert.ok(said.length >= 4 && said.length <= 6, said.join('\n'));
    });
  }

  it('is asked a bounded number of times on one route, whatever is asked there, and then it is said for how long', async () => {
    const routes: [RegExp, (hub: Hub, repo: RepoId, request: CommitRequest) => Promise<unknown>][] = [
      [/\/preupload\//, (hub, _, request) => hub.commit(request)],
      [/\/commit\//, (hub, _, request) => hub.commit(request)],
      [/\/commits\//, (hub, _, request) => hub.commit(request)],
      [/\/resolve\//, (hub, repo, { parent }) => hub.read({ ...repo, commit: parent }, 'x.txt')],
      [/\/tree\//, (hub, repo, { parent }) => hub.tree({ ...repo, commit: parent })],
      [/\/refs/, (hub, repo) => hub.refs(repo)],
    ];
    for (const [route, ask] of routes) {
      const { hub, repo, request, sent, seconds } = await onClock(server, async (path, _, send) => {
        if (route.test(path)) return page(503);
        return route.source.includes('commits') && /\/commit\//.test(path) ? refused() : await send();
      });
      await hub.createRepo(repo);
      await assert.rejects(
        ask(hub, repo, request),
        (error) => {
          assert.ok(error instanceof ZephyrError && error.exit === 'temporary');
          assert.match(error.message, /^Cannot .*the Hub at "http:\S+" answered 503 for [2-9] min/);
          return true;
        },
        String(route),
      );
      assert.ok(sent.filter((line) => route.test(line)).length <= 20, `${route}: ${sent.length}`);
      assert.ok(seconds() >= 120 && seconds() < 600, `${route}: ${seconds()} s`);
    }
  });

  it('is not waited for as long where nobody has ever answered', async () => {
    const { hub, repo, seconds } = await onClock(server, refused);
    await assert.rejects(hub.refs(repo), /does not answer for \d+ s \(connection refused\)/);
    assert.ok(seconds() < 60);
  });

  it('whose place a web page takes is said to be one, for answers and for files', async () => {
    const { hub, repo, request } = await onClock(server, () => page(200));
    const asked = [hub.refs(repo), hub.read({ ...repo, commit: request.parent }, 'a.txt'), hub.commit(request), hub.list()];
    for (const answer of asked)
      await assert.rejects(answer, (error) => error instanceof ZephyrError && /answered with a web page/.test(error.message));
  });

  it('is asked again when an answer is cut short', async () => {
    let cuts = 3;
    const { hub, repo } = await onClock(server, async (_, __, send) => {
      if (cuts === 0) return await send();
      cuts -= 1;
      return new Response('{"branches": [{"na', { headers: { 'Content-Type': 'application/json' } });
    });
    assert.deepEqual(Object.keys((await hub.refs(repo))?.branches ?? {}), ['main']);
  });

  it('is waited for as long as Retry-After says, in seconds or as a date, within bounds', async () => {
    const after: [string, (s: number) => boolean][] = [
      ['7', (s) => s >= 7 && s <= 8],
      [new Date(Date.now() + 50_000).toUTCString(), (s) => s > 40 && s < 60],
      ['999999', (s) => s > 500 && s <= 600],
    ];
    for (const [value, fits] of after) {
      let left = 1;
      const { hub, repo, seconds } = await onClock(server, async (_, __, send) => {
        left -= 1;
        return left < 0 ? await send() : new Response('', { status: 503, headers: { 'Retry-After': value } });
      });
      await hub.refs(repo);
      assert.ok(fits(seconds()), `${value}: ${seconds()} s`);
    }
  });
});

describe('Who turns away from a remote Hub', async () => {
  // answers refs, and takes everything else without a word
  const silent = createServer((request, response) => {
    if (request.url?.endsWith('/refs') === true) response.writeHead(503).end();
    else request.resume();
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  after(() => {
    silent.closeAllConnections();
    silent.close();
  });
  const repo: RepoId = { type: 'model', name: 'org/x' };

  it('does so while it is waited for', async () => {
    const turn = new AbortController();
    const hub = new RemoteHub({ url, token, signal: turn.signal });
    const waiting = hub.refs(repo);
    setTimeout(() => turn.abort(), 100);
    const before = performance.now();
    await assert.rejects(waiting, (error) => error instanceof ZephyrError && error.exit === 'detached');
    assert.ok(performance.now() - before < 20_000);
  });

  it('does so while it takes a request and answers nothing', async () => {
    const turn = new AbortController();
    const hub = new RemoteHub({ url, token, signal: turn.signal });
    const asked = [hub.read({ ...repo, commit: '0'.repeat(40) }, 'a.txt'), hub.createBranch(repo, 'x', '0'.repeat(40))];
    setTimeout(() => turn.abort(), 100);
    const outcomes = await Promise.allSettled(asked);
    assert.ok(outcomes.every(({ status }) => status === 'rejected'));
    // once the user has detached, what comes after it has one try
    await assert.rejects(hub.refs(repo), (error) => error instanceof ZephyrError && error.exit === 'detached');
  });
});
