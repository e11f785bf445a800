// Large files to a remote Hub and from it, several at once beside one at a time, on a server whose every answer comes late
// and whose every connection has a bound. `node test/bench/transfers.mjs [FILES [MIB [LATENCY_MS [MIB_A_SECOND]]]]`. Each
// figure is a ratio of one run: the first way and the second take turns in one process. A figure to read, not a test.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RemoteHub } from '../../src/hub/remote-hub.ts';
import { startHubServer } from '../../src/hub-server/server.ts';
import { openStore } from '../../src/store/store.ts';

const [files = 12, mib = 4, latency = 100, rate = 20] = process.argv.slice(2).map(Number);
const folder = await mkdtemp(join(tmpdir(), 'zephyr-transfers-'));
const store = await openStore(join(folder, 'hub'));
const hubServer = await startHubServer({ store, token: 'hf_bench', secret: 's' });
const { host, origin } = new URL(hubServer.url);

/** Passes pieces on no faster than the bound of a connection. */
async function* slowly(body) {
  for await (const piece of body) {
    await sleep((1000 * piece.length) / (rate * 2 ** 20));
    yield piece;
  }
}

const proxy = createServer(async (incoming, outgoing) => {
  await sleep(latency);
  const onward = request(
    `${origin}${incoming.url}`,
    { method: incoming.method, headers: { ...incoming.headers, host } },
    async (answer) => {
      const own = `http://${incoming.headers.host}`;
      const { 'content-length': length, ...headers } = answer.headers;
      if (/json/.test(headers['content-type'] ?? '')) {
        const text = (await answer.toArray()).join('').replaceAll(origin, own);
        return outgoing.writeHead(answer.statusCode, headers).end(text);
      }
      outgoing.writeHead(answer.statusCode, answer.headers);
      for await (const piece of slowly(answer)) outgoing.write(piece);
      outgoing.end();
    },
  );
  for await (const piece of slowly(incoming)) onward.write(piece);
  onward.end();
});
await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${proxy.address().port}`;

/** One request for a file at a time: what zephyr did before. */
function oneAtATime() {
  let turn = Promise.resolve();
  return (input, init) => {
    const isFile = init?.method === 'PUT' || String(input).includes('/resolve/');
    if (!isFile) return fetch(input, init);
    const mine = turn.then(async () => {
      const response = await fetch(input, init);
      return new Response(await response.arrayBuffer(), { status: response.status, headers: response.headers });
    });
    turn = mine.then(
      () => undefined,
      () => undefined,
    );
    return mine;
  };
}

let count = 0;
async function once(fetcher) {
  count += 1;
  const repo = { type: 'model', name: `bench/m${count}` };
  const hub = new RemoteHub({ url, token: 'hf_bench', fetch: fetcher });
  await hub.createRepo(repo);
  const add = [];
  for (let i = 0; i < files; i += 1) {
    const file = join(folder, `w-${count}-${i}.npz`);
    await writeFile(file, Buffer.alloc(mib << 20, count * 100 + i));
    add.push({ path: `w-${i}.npz`, file });
  }
  const parent = await hub.resolve({ ...repo, revision: 'main' });
  let began = performance.now();
  const { commit } = await hub.commit({ repo, branch: 'main', parent, message: 'x', add });
  const up = performance.now() - began;
  began = performance.now();
  await hub.materialise({ ...repo, commit }, join(folder, `cache-${count}`));
  return { up, down: performance.now() - began };
}

const rounds = [];
for (let round = 0; round < 3; round += 1) {
  const serial = await once(oneAtATime());
  const parallel = await once(fetch);
  rounds.push({ up: serial.up / parallel.up, down: serial.down / parallel.down, serial, parallel });
}
const median = (pick) => rounds.map(pick).toSorted((a, b) => a - b)[1];
console.log(`${files} files of ${mib} MiB, ${latency} ms before each answer, ${rate} MiB/s a connection`);
for (const way of ['up', 'down']) {
  const [serial, parallel] = [median((round) => round.serial[way]), median((round) => round.parallel[way])];
  console.log(
    `${way}: ${median((round) => round[way]).toFixed(1)} times as fast (${Math.round(serial)} and ${Math.round(parallel)} ms)`,
  );
}
console.log(`memory at most ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`);
proxy.close();
proxy.closeAllConnections();
await hubServer.close();
await rm(folder, { recursive: true, force: true });
