import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { HubWorkspace, hubJobArgv } from '../../src/backends/hub-workspace.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { startHubServer } from '../../src/hub-server/server.ts';
import { contentDigest } from '../../src/model/content-digest.ts';
import { hubToken, signingSecret } from '../../src/store/secrets.ts';
import { openStore } from '../../src/store/store.ts';
import { hash } from '../contracts/hub-rig.ts';
import { ROOT } from '../rig/job-rig.ts';
import { python } from '../rig/zephyr.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-hub-job-'));
after(() => rm(root, { recursive: true }));

test('a job that is laid out on a Hub runs where only the Hub is in sight, and is read back from there', async () => {
  const store = await openStore(join(root, 'hub'));
  const hub = await openLocalHub(join(root, 'hub'));
  const token = await hubToken(store);
  const server = await startHubServer({ store, token, secret: await signingSecret(store), port: 0, onFault: assert.ifError });
  try {
    const [repo, rows] = [{ type: 'model', name: 'org/out' } as const, { type: 'dataset', name: 'org/rows' } as const];
    await hub.createRepo(repo);
    await hub.createRepo(rows);
    const text = '{"text":"a"}\n';
    const parent = (await hub.resolve({ ...rows, revision: 'main' })) ?? '';
    const add = [{ path: 'rows.jsonl', content: text }];
    const made = await hub.commit({ repo: rows, branch: 'main', parent, message: 'rows', add });
    assert.ok(made.ok);
    const digest = contentDigest([{ path: 'rows.jsonl', size: text.length, sha256: hash(text) }]);

    const workspace = new HubWorkspace({ hub, root: ROOT, pollMs: 10, settleMs: 1000, pushEverySeconds: 0.2 });
    const place = await workspace.lay({
      repo,
      labels: { run: `run-${'0'.repeat(26)}`, stage: 'dsft', step: 'train', epoch: 1 },
      program: 'finish',
      code: { folder: join(ROOT, 'test/fixtures/jobs'), files: ['finish.py'] },
      config: { steps: 2, seconds: 0.2 },
      inputs: { data: { ref: { ...rows, commit: made.commit }, digest } },
      hardware: {
        device: 'cpu',
        nodes: 1,
        ranks: 1,
        microBatch: 1,
        accumulation: 1,
        threads: 1,
        sharding: 'none',
        offload: false,
      },
      cadence: { save_steps: 1, log_steps: 1, heartbeat_s: 1 },
      checkpoint: undefined,
    });
    const env = {
      PATH: process.env.PATH,
      HF_ENDPOINT: server.url,
      HF_TOKEN: token,
      HF_HOME: join(root, 'cache'),
      HF_HUB_DISABLE_XET: '1',
    };
    const node = join(root, 'node');
    const job = spawn(python, await hubJobArgv(workspace, place, node), { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = (await once(job, 'exit')) as [number];
    assert.equal(code, 0);
    const events = (await workspace.events(place, 0)).map((line) => (JSON.parse(line.text) as { readonly type: string }).type);
    assert.deepEqual(events, ['boot', 'progress', 'progress', 'final']);
    assert.ok((await workspace.log(place, 0)).some((line) => line.text === 'step 2'));
    const { exit, result } = await workspace.end(place);
    assert.deepEqual([exit, result?.global_step], [{ code: 0, outOfMemory: false }, 2]);
    const out = await workspace.fetchOut(place, join(root, 'made'));
    assert.equal(await readFile(join(out ?? '', 'model.txt'), 'utf8'), 'weights');
    assert.equal(await readFile(join(node, `in/datasets--org--rows/snapshots/${made.commit}/rows.jsonl`), 'utf8'), text);
  } finally {
    await server.close();
  }
});
