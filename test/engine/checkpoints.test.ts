import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { FolderWorkspace } from '../../src/backends/folder-workspace.ts';
import { sha256 } from '../../src/base/sha256.ts';
import { keepCheckpoint, restoreCheckpoint } from '../../src/engine/checkpoints.ts';
import type { StageRun } from '../../src/engine/stage-run.ts';
import { openRig, type Rig } from './engine-rig.ts';

const WEIGHTS = 'model.safetensors.part';

const bytesAt = (at: number): Buffer => Buffer.from(`\0weights at ${at}`);

/** A checkpoint as a training program leaves it. */
async function lay(rig: Rig, at: number, job = 'train-e1'): Promise<string> {
  const folder = join(rig.folder, 'jobs', 'run', job, 'checkpoints', `checkpoint-${at}`);
  await mkdir(join(folder, 'sub'), { recursive: true });
  const files = [];
  for (const [path, bytes] of [
    [WEIGHTS, bytesAt(at)],
    ['sub/state.txt', Buffer.from(`state ${at}`)],
  ] as const) {
    await writeFile(join(folder, path), bytes);
    files.push({ path, size: bytes.length, sha256: sha256(bytes) });
  }
  const manifest = { version: 1, step: at, world_size: 1, config_sha256: '0'.repeat(64), files };
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  return folder;
}

/** As the engine is told of it. */
const savedIn = (folder: string) => ({ step: 'train', place: dirname(dirname(folder)), name: basename(folder) });

/** The engine with a workspace that reads from its Hub. */
const overHttp = ({ backend, hub, workFolder }: Rig['engine']) => ({
  backend: { ...backend, workspace: new FolderWorkspace('local', workFolder, hub) },
});

async function restored(rig: Rig, run: StageRun, notes: string[] = []) {
  const scratch = join(rig.folder, 'scratch');
  await rm(scratch, { recursive: true, force: true });
  return restoreCheckpoint(rig.engine, run, { step: 'train', scratch }, (message) => notes.push(message));
}

const branchOf = async (rig: Rig, run: StageRun): Promise<string[]> =>
  (await rig.beside.tree({ ...run.state.repo, commit: run.head }))
    .filter(({ path }) => path.endsWith(WEIGHTS))
    .map(({ path }) => basename(join(path, '..')));

for (const way of ['on the disk of the Hub', 'over HTTP'] as const) {
  test(`a checkpoint that the trainer deletes while it is taken over is kept nevertheless, ${way}`, async (t) => {
    const rig = await openRig();
    t.after(rig.close);
    const { hub } = way === 'over HTTP' ? (await rig.overHttp()).engine : rig.engine;
    const folder = await lay(rig, 100);
    const commit = hub.commit.bind(hub);
    const deleting = Object.assign(hub, {
      commit: async (...args: Parameters<typeof commit>) => {
        await rm(folder, { recursive: true, force: true });
        return await commit(...args);
      },
    });
    const run = await rig.begin({ ...rig.engine, hub: deleting });
    assert.equal(await keepCheckpoint({ ...rig.engine, hub: deleting }, run, savedIn(await lay(rig, 100))), true);
    assert.equal((await restored(rig, run))?.at, 100);
    assert.deepEqual(await readdir(join(rig.folder, 'jobs', run.state.run, 'held')), []);
  });
}

test('of checkpoints that come in any order the newest two are kept, and nothing else is on the branch', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const run = await rig.begin();
  const taken: boolean[] = [];
  for (const at of [10, 30, 40, 20, 50, 30]) taken.push(await keepCheckpoint(rig.engine, run, savedIn(await lay(rig, at))));
  assert.deepEqual(taken, [true, true, true, false, true, false]);
  assert.deepEqual(await branchOf(rig, run), ['checkpoint-40', 'checkpoint-50']);
  assert.equal((await restored(rig, run))?.at, 50);
});

test('one that is not whole is not taken, and what is left of the hold on it goes', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const run = await rig.begin();
  for (const spoil of [
    (folder: string) => rm(join(folder, 'sub'), { recursive: true }),
    (folder: string) => writeFile(join(folder, WEIGHTS), 'short'),
    (folder: string) => rm(join(folder, 'manifest.json')),
    (folder: string) => rm(folder, { recursive: true }),
  ]) {
    const folder = await lay(rig, 10);
    await spoil(folder);
    assert.equal(await keepCheckpoint(rig.engine, run, savedIn(folder)), false);
    await rm(folder, { recursive: true, force: true });
  }
  assert.deepEqual(await readdir(join(rig.folder, 'jobs', run.state.run, 'held')).catch(() => []), []);
});

test('damage in the newest checkpoint is told, and the one before it is gone on from', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const run = await rig.begin();
  for (const at of [10, 20]) assert.ok(await keepCheckpoint(rig.engine, run, savedIn(await lay(rig, at))));
  const hash = sha256(bytesAt(20));
  const stored = join(rig.folder, 'hub', 'lfs', hash.slice(0, 2), hash.slice(2, 4), hash);
  await chmod(stored, 0o644);
  await writeFile(stored, Buffer.from('\0weights at 2!'));
  const notes: string[] = [];
  assert.equal((await restored(rig, run, notes))?.at, 10);
  assert.equal(notes.length, 1);
  assert.match(notes[0] ?? '', /checkpoint at step 20 is passed over/);
});

test('a Hub that does not answer is no damage: no checkpoint is passed over for it', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const { engine, stop } = await rig.overHttp();
  const run = await rig.begin(engine);
  for (const at of [10, 20]) assert.ok(await keepCheckpoint(engine, run, savedIn(await lay(rig, at))));
  await stop();
  await assert.rejects(
    restoreCheckpoint({ ...engine, ...overHttp(engine) }, run, { step: 'train', scratch: join(rig.folder, 'scratch') }, () => {}),
    { exit: 'temporary' },
  );
});
