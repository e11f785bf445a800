import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { markCancelled } from '../../src/engine/mark-cancelled.ts';
import { runTask } from '../../src/engine/run-task.ts';
import { ZephyrError } from '../../src/errors.ts';
import type { Task } from '../../src/stages/stage.ts';
import { openRig, taskStep } from './engine-rig.ts';

const ANSWER = '{"t":"done"}\n';

/** A task that pays for one answer, and then ends as told. */
const paying =
  (end: () => Promise<never>): Task =>
  async ({ callLog }) => {
    await writeFile(join(callLog, '00000001.jsonl'), ANSWER);
    return await end();
  };

test("a task's own error is the one that is told when its calls cannot be taken to the Hub either", async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const { engine, stop } = await rig.overHttp();
  const run = await rig.begin(engine);
  const own = new ZephyrError('Cannot pay more than 1 $', { exit: 'preflight', hint: 'raise the budget' });
  const task = paying(async () => {
    await stop();
    throw own;
  });
  await assert.rejects(
    runTask({ engine: { ...engine, tasks: { task } }, run, step: taskStep('task'), inputs: {}, prefetch: undefined }),
    (error) => error === own,
  );
  const notes = rig.events.flatMap((event) => (event.type === 'note' ? [event.message] : []));
  assert.equal(notes.length, 1);
  assert.match(notes[0] ?? '', /calls are on this disk only: Cannot commit to .* does not answer/);
});

test('a task that the user detached from says so although the Hub does not answer', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const { engine, stop } = await rig.overHttp();
  const run = await rig.begin(engine);
  const away = new AbortController();
  const task = paying(async () => {
    await stop();
    away.abort();
    throw new ZephyrError('Stopped asking teachers', { exit: 'detached' });
  });
  await assert.rejects(
    runTask({
      engine: { ...engine, tasks: { task }, signal: away.signal },
      run,
      step: taskStep('task'),
      inputs: {},
      prefetch: undefined,
    }),
    (error) => error instanceof ZephyrError && error.exit === 'detached' && /answered call is kept/.test(error.message),
  );
});

test('a task that succeeded says when its calls cannot be taken to the Hub', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const { engine, stop } = await rig.overHttp();
  const run = await rig.begin(engine);
  const task: Task = async ({ callLog }) => {
    await writeFile(join(callLog, '00000001.jsonl'), ANSWER);
    await stop();
    return { metrics: {}, costUsd: 0 };
  };
  await assert.rejects(
    runTask({ engine: { ...engine, tasks: { task } }, run, step: taskStep('task'), inputs: {}, prefetch: undefined }),
    (error) => error instanceof ZephyrError && error.exit === 'temporary',
  );
});

test("a task's own error is told when its run was cancelled meanwhile, and nothing untrue of its calls", async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const run = await rig.begin();
  const own = new ZephyrError('Cannot pay more than 1 $', { exit: 'preflight' });
  const task = paying(async () => {
    await markCancelled(rig.beside, rig.engine.now, run.state);
    throw own;
  });
  await assert.rejects(
    runTask({ engine: { ...rig.engine, tasks: { task } }, run, step: taskStep('task'), inputs: {}, prefetch: undefined }),
    (error) => error === own,
  );
  assert.deepEqual(
    rig.events.filter(({ type }) => type === 'note'),
    [],
  );
});
