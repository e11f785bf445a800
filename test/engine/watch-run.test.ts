import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { markCancelled } from '../../src/engine/mark-cancelled.ts';
import { runTask } from '../../src/engine/run-task.ts';
import { adoptRun, readRun, StageRun } from '../../src/engine/stage-run.ts';
import type { Task } from '../../src/stages/stage.ts';
import { openRig, type Rig, taskStep } from './engine-rig.ts';

const asking = { ...taskStep('task'), calls: [] };

/** What `zephyr resume --take-over` does to the run, on another machine. */
async function takeOver({ beside, engine }: Rig, run: StageRun): Promise<void> {
  const found = await readRun(beside, run.state.repo, run.state.run);
  assert.ok(found !== undefined);
  const elsewhere = { host: 'elsewhere/12345678', pid: 1, started: '1' };
  await new StageRun(beside, engine.now, found.state, found.head).advance({ ...found.state, owner: elsewhere }, 'own');
}

for (const { what, exit, lose } of [
  { what: 'taken over', exit: 'conflict', lose: takeOver },
  {
    what: 'cancelled',
    exit: 'cancelled',
    lose: async ({ beside, engine }: Rig, run: StageRun) => void (await markCancelled(beside, engine.now, run.state)),
  },
]) {
  test(`a task whose run is ${what} elsewhere stops by itself, and leaves what it has paid on the branch`, async (t) => {
    const rig = await openRig();
    t.after(rig.close);
    const { engine } = await rig.overHttp();
    const run = await rig.begin(engine);
    const task: Task = async ({ journal, signal }) => {
      await writeFile(join(journal, '00000001.jsonl'), '{"t":"done"}\n');
      await lose(rig, run);
      if (!signal.aborted) await once(signal, 'abort');
      throw signal.reason;
    };
    await assert.rejects(runTask({ ...engine, tasks: { task } }, run, asking, {}, undefined, 5), { exit });
    const { repo, run: branch } = run.state;
    const commit = await rig.beside.resolve({ ...repo, revision: branch });
    assert.ok(commit !== undefined);
    const paths = (await rig.beside.tree({ ...repo, commit })).map(({ path }) => path);
    assert.equal(paths.filter((path) => path.startsWith('.zephyr/calls/00000001-')).length, 1);
  });
}

test('a run is ours as long as nobody else goes on with it, whoever else writes to its branch', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const run = await rig.begin();
  await run.check();
  const found = await readRun(rig.beside, run.state.repo, run.state.run);
  assert.ok(found !== undefined);
  const same = await adoptRun(rig.beside, rig.engine.now, found, false);
  await run.check();
  await run.leave([{ path: '.zephyr/calls/other.jsonl', content: '{}\n' }], 'calls');
  await same.check();
  await takeOver(rig, same);
  await assert.rejects(same.check(), { exit: 'conflict' });
});
