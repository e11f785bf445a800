// What costs how much more where there is much: a dropped checkpoint beside 800 other repos and a large one against the same
// alone, pages of 2,000 commits against a page of 50, and `zephyr status` over 500 runs against none, here and over HTTP.
// `node test/bench/scale.mjs [reclaim] [commits] [status]`; needs `npm run setup` and `npm run build`. It prints ratios of one
// run: figures to read, not a test, as machines differ and are shared.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beginRun } from '../../src/engine/stage-run.ts';
import { localHub } from '../../src/hub/local-hub.ts';
import { startHubServer } from '../../src/hub-server/server.ts';
import { commit } from '../../src/store/commit.ts';
import { createRef, readRef } from '../../src/store/refs.ts';
import { createRepo } from '../../src/store/repos.ts';
import { hubToken, signingSecret } from '../../src/store/secrets.ts';
import { openStore, repoFolder } from '../../src/store/store.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const wanted = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), 'zephyr-scale-'));
const model = (name) => ({ type: 'model', name });

async function timed(action) {
  const started = performance.now();
  await action();
  return performance.now() - started;
}

function print(what, most, least) {
  console.log(
    `${what.padEnd(64)}${most.toFixed(0).padStart(8)} ms${least.toFixed(0).padStart(8)} ms${(most / least).toFixed(2).padStart(8)}`,
  );
}

async function add(store, name, branch, files) {
  const outcome = await commit(store, { repo: model(name), branch, message: 'Add', add: files, remove: 'all' });
  if (!outcome.ok) throw new Error(outcome.reason);
}

/** The median of some dropped checkpoints, with the giving back of their space. */
async function dropping(store) {
  const run = `run-${'0'.repeat(26)}`;
  await createRepo(store, model('me/out'));
  await createRef(store, model('me/out'), 'heads', run, await readRef(repoFolder(store, model('me/out')), 'heads', 'main'));
  const times = [];
  for (let i = 0; i < 7; i += 1) {
    await add(store, 'me/out', run, [{ path: 'c/w.safetensors', content: Buffer.alloc(100_000, `checkpoint ${i}`) }]);
    // a process of its own, that remembers nothing
    const fresh = localHub(await openStore(store.root));
    times.push(await timed(() => fresh.reclaim()));
  }
  return times.sort((a, b) => a - b)[3];
}

async function reclaiming() {
  const alone = await dropping(await openStore(join(work, 'alone')));
  const store = await openStore(join(work, 'many'));
  for (let i = 0; i < 800; i += 1) {
    await createRepo(store, model(`me/small-${i}`));
    await add(store, `me/small-${i}`, 'main', [{ path: 'w.safetensors', content: Buffer.alloc(1000, `small ${i}`) }]);
  }
  await createRepo(store, model('me/large'));
  for (let i = 0; i < 300; i += 1) {
    const files = Array.from({ length: 40 }, (_, n) => ({ path: `d${n % 7}/${n}.txt`, content: `${i} ${n}` }));
    await add(store, 'me/large', 'main', [...files, { path: 'w.safetensors', content: Buffer.alloc(1000, `large ${i}`) }]);
  }
  print('a dropped checkpoint beside 801 repos, and alone', await dropping(store), alone);
}

async function served(store, work) {
  const token = await hubToken(store);
  const server = await startHubServer({ store, token, secret: await signingSecret(store) });
  try {
    return await work(server.url, token);
  } finally {
    await server.close();
  }
}

async function listing() {
  const store = await openStore(join(work, 'commits'));
  await createRepo(store, model('me/long'));
  for (let i = 0; i < 2000; i += 1) await add(store, 'me/long', 'main', [{ path: 'a.txt', content: `${i}` }]);
  await served(await openStore(store.root), async (url, token) => {
    const pages = [];
    let next = `${url}/api/models/me/long/commits/main`;
    while (next !== undefined) {
      pages.push(
        await timed(async () => {
          const response = await fetch(next, { headers: { Authorization: `Bearer ${token}` } });
          await response.json();
          next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('Link') ?? '')?.[1];
        }),
      );
    }
    print(`the last of ${pages.length} pages of 2,000 commits, and the second`, pages.at(-1), pages[1]);
    print(
      'all of them, and the first',
      pages.reduce((a, b) => a + b),
      pages[0],
    );
  });
}

async function filled(home, runs) {
  const store = await openStore(join(home, 'hub'));
  const hub = localHub(store);
  for (let i = 0; i < runs; i += 1) {
    const fields = {
      stage: 'dsft',
      repo: model(`me/out-${i % 5}`),
      goal: ['dsft'],
      recipe: { note: 'x'.repeat(3000) },
      target: {},
    };
    const run = await beginRun(hub, () => new Date(), {
      ...fields,
      stageInputs: {},
      pins: {},
      key: '0'.repeat(64),
      keyRecord: null,
    });
    await run.advance({ ...run.state, phase: 'done', owner: null }, 'done');
  }
  return store;
}

/** With `afresh` it remembers nothing of an earlier list. */
function status(home, env, args = [], afresh = false) {
  if (afresh) rmSync(join(home, 'cache'), { recursive: true, force: true });
  const started = performance.now();
  const done = spawnSync(process.execPath, [join(root, 'dist/cli.js'), 'status', ...args], {
    env: { ...process.env, ZEPHYR_HOME: home, ...env },
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Error(done.stderr);
  return performance.now() - started;
}

async function statuses() {
  const [none, many] = [join(work, 'none'), join(work, 'runs')];
  await filled(none, 0);
  await filled(many, 500);
  const least = (times) => Math.min(...times);
  const rounds = [0, 1, 2, 3, 4];
  const nothing = least(rounds.map(() => status(none, {})));
  print('the first status over 500 runs, and over none', least(rounds.map(() => status(many, {}, [], true))), nothing);
  print('status over 500 runs, and over none', least(rounds.map(() => status(many, {}))), nothing);
  const at = async (home) => {
    const serve = join(root, 'test/rig/hub-serve.ts');
    const { spawn } = await import('node:child_process');
    const child = spawn(process.execPath, [serve, join(home, 'hub')], { stdio: ['pipe', 'pipe', 'inherit'] });
    const { url, token } = JSON.parse(await new Promise((resolve) => child.stdout.once('data', resolve)));
    const ask = (afresh) => status(join(work, 'client'), { HF_TOKEN: token }, ['--hub', url], afresh);
    const times = [true, false].map((afresh) => least(rounds.map(() => ask(afresh))));
    child.stdin.end();
    return times;
  };
  const [, nobody] = await at(none);
  const [first, later] = await at(many);
  print('the first status over 500 runs over HTTP, and over none', first, nobody);
  print('status over 500 runs over HTTP, and over none', later, nobody);
}

try {
  for (const [name, work] of Object.entries({ reclaim: reclaiming, commits: listing, status: statuses }))
    if (wanted.length === 0 || wanted.includes(name)) await work();
} finally {
  rmSync(work, { recursive: true, force: true });
}
