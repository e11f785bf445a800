import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { markCancelled } from '../../src/engine/mark-cancelled.ts';
import { adoptRun } from '../../src/engine/open-run.ts';
import { readRun } from '../../src/engine/read-run.ts';
import { runTask } from '../../src/engine/run-task.ts';
import { StageRun } from '../../src/engine/stage-run.ts';
import { OwnerWatch } from '../../src/engine/watch-run.ts';
import { ZephyrError } from '../../src/errors.ts';
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
    const task: Task = async ({ callLog, signal }) => {
      await writeFile(join(callLog, '00000001.jsonl'), '{"t":"done"}\n');
      await lose(rig, run);
      if (!signal.aborted) await once(signal, 'abort');
      throw signal.reason;
    };
    await assert.rejects(
      runTask({ engine: { ...engine, tasks: { task } }, run, step: asking, inputs: {}, prefetch: undefined, lookMs: 5 }),
      { exit },
    );
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

/** A run of which the Hub says in turn what it is told to; of one that is gone on with elsewhere it says so for good. */
function saying(t: TestContext, ...answers: readonly ('ours' | 'lost' | 'away')[]) {
  const left = [...answers];
  const clock = { steady: 0, wall: 1_000_000 };
  const heard = { looks: 0, lost: 0, notes: [] as string[] };
  const check = async (): Promise<void> => {
    heard.looks += 1;
    const answer = left.length > 1 ? left.shift() : left[0];
    if (answer === 'lost') throw new ZephyrError('Cannot go on', { exit: 'conflict' });
    if (answer === 'away') throw new ZephyrError('The Hub does not answer', { exit: 'temporary' });
  };
  const clocks = { steady: () => clock.steady, wall: () => clock.wall };
  const hour = 3_600_000;
  const lost = (): void => {
    heard.lost += 1;
  };
  const note = (message: string): void => void heard.notes.push(message);
  const watch = new OwnerWatch({ check }, { everyMs: hour, lost, note, clocks });
  t.after(() => watch.end());
  const pass = (steady: number, wall = steady): void => {
    clock.steady += steady;
    clock.wall += wall;
  };
  return { heard, watch, pass };
}

test('nothing waits for the Hub as long as time goes by as it should', (t) => {
  const { heard, watch, pass } = saying(t, 'ours');
  for (let second = 0; second < 60; second += 1) {
    pass(1000);
    assert.equal(watch.sure(), undefined);
  }
  assert.equal(heard.looks, 0);
});

for (const [what, steady, wall] of [
  ['was frozen', 20_000, 20_000],
  ['slept with its machine', 10, 3_600_000],
  ['had its clock set back', 10, -3_600_000],
] as const)
  test(`a process that ${what} asks whose the run is before it sends anything, once`, async (t) => {
    const { heard, watch, pass } = saying(t, 'lost', 'ours');
    pass(steady, wall);
    const both = [watch.sure(), watch.sure()];
    assert.ok(both.every((wait) => wait !== undefined));
    await Promise.all(both);
    assert.deepEqual([heard.looks, heard.lost], [1, 1]);
    assert.equal(watch.sure(), undefined);
  });

test('after it stood still, a process waits for a Hub that is away, and says so', async (t) => {
  const { heard, watch, pass } = saying(t, 'away', 'ours');
  pass(60_000);
  await watch.sure();
  assert.deepEqual([heard.looks, heard.lost, heard.notes.length], [2, 0, 1]);
  assert.match(heard.notes[0] ?? '', /stood still/);
});
