import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { leftoversOf } from '../../src/engine/leftovers.ts';
import { listRuns } from '../../src/engine/run-list.ts';
import { openRig } from './engine-rig.ts';

test('what ended runs have left can go; a failed run, and one with paid calls, keeps its branch', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const { hub } = rig.engine;
  const [done, failed, paid] = [await rig.begin(), await rig.begin(), await rig.begin()];
  await done.advance({ ...done.state, phase: 'done', owner: null }, 'done');
  await failed.advance({ ...failed.state, phase: 'failed', owner: null }, 'failed');
  const add = [{ path: '.zephyr/calls/1-0123456789abcdef.jsonl', content: '{}\n' }];
  await paid.advance({ ...paid.state, phase: 'done', owner: null }, 'done', { add });
  const jobs = join(rig.folder, 'jobs');
  await mkdir(join(jobs, done.state.run), { recursive: true });
  await writeFile(join(jobs, done.state.run, 'log'), 'x'.repeat(10));
  const { items, kept } = await leftoversOf(
    { hub, workFolder: jobs },
    await listRuns(hub, rig.folder),
    async () => rig.engine.backend.workspace,
  );
  assert.equal(kept, 1);
  assert.deepEqual(
    items.map(({ id, what, bytes }) => [id.split('@')[1], what, bytes]),
    [
      [done.state.run, 'job folder', 10],
      [done.state.run, 'branch', 0],
    ],
  );
  for (const { remove } of items) await remove();
  assert.deepEqual(await readdir(jobs), []);
  const left = (await listRuns(hub, rig.folder)).map(({ run }) => run);
  assert.deepEqual(left.sort(), [failed.state.run, paid.state.run].sort());
});
