import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend } from '../../src/backends/backend.ts';
import type { Scheduler } from '../../src/backends/scheduler.ts';
import { hostId } from '../../src/base/host-id.ts';
import { dropJob } from '../../src/engine/follow-step.ts';
import { markCancelled } from '../../src/engine/mark-cancelled.ts';
import { adoptRun } from '../../src/engine/open-run.ts';
import { readRun } from '../../src/engine/read-run.ts';
import { runJob } from '../../src/engine/run-job.ts';
import { StageRun } from '../../src/engine/stage-run.ts';
import { ZephyrError } from '../../src/errors.ts';
import type { Hub } from '../../src/hub/hub.ts';
import type { RunEvent } from '../../src/model/event.ts';
import type { JobHandle } from '../../src/model/job.ts';
import { attemptEnded } from '../../src/runs/run-state.ts';
import { isThere, until } from '../rig/job-rig.ts';
import { jobStep, openRig, type Rig, useProgram, withScheduler } from './engine-rig.ts';

const NOW = '2026-01-01T00:00:00Z';

/** The backend of the rig, with something that happens just after a job was submitted; the handles it gave, and those it forgot. */
function submittingThen(
  rig: Rig,
  then: (handle: JobHandle) => Promise<void>,
): { backend: Backend; handles: JobHandle[]; forgotten: JobHandle[] } {
  const handles: JobHandle[] = [];
  const forgotten: JobHandle[] = [];
  const submit: Scheduler['submit'] = async (request) => {
    const handle = await rig.engine.backend.scheduler.submit(request);
    handles.push(handle);
    await then(handle);
    return handle;
  };
  const forget: Scheduler['forget'] = async (handle) => {
    forgotten.push(handle);
    await rig.engine.backend.scheduler.forget(handle);
  };
  return { backend: withScheduler(rig.engine.backend, { submit, forget }), handles, forgotten };
}

/** Another zephyr that owns the run from now on. */
async function takenOver(rig: Rig, { state }: StageRun): Promise<StageRun> {
  const found = await readRun(rig.beside, state.repo, state.run);
  assert.ok(found);
  return adoptRun(rig.beside, () => new Date(Date.now() + 1), found, true);
}

test("a job that has succeeded stays the run's until it is dropped, and is not run again", async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  await useProgram(rig, 'finish');
  const run = await rig.begin();
  const step = jobStep({ steps: 2 });
  const first = await runJob({ engine: rig.engine, run, step, inputs: {} });
  assert.ok(first.ok);
  const handle = run.state.job?.handle;
  assert.ok(handle != null, 'publishing it may yet fail');
  assert.deepEqual(await runJob({ engine: rig.engine, run, step, inputs: {} }), first);
  assert.equal(rig.events.filter(({ type }) => type === 'job-submitted').length, 1);
  await rm(first.folder, { recursive: true });
  const gone = await runJob({ engine: rig.engine, run, step, inputs: {} });
  assert.ok(!gone.ok && gone.failure.reason === 'lost');
  const made = await runJob({ engine: rig.engine, run, step, inputs: {} });
  assert.ok(made.ok, 'then it is made again');
  await dropJob(rig.engine, handle);
});

test('a job whose handle never reached the branch is looked for where it was submitted, and not started elsewhere', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  await useProgram(rig, 'finish');
  for (const [backend, host] of [
    ['process', 'far-away/12345678'],
    ['docker', hostId()],
  ] as const) {
    const run = await rig.begin();
    await run.submitting('train', { backend, host }, undefined);
    await assert.rejects(
      runJob({ engine: rig.engine, run, step: jobStep({ steps: 1 }), inputs: {} }),
      (error) => error instanceof ZephyrError && error.exit === 'conflict' && /--take-over/.test(error.hint ?? ''),
    );
    const told = await runJob({ engine: { ...rig.engine, takeOver: true }, run, step: jobStep({ steps: 1 }), inputs: {} });
    assert.ok(told.ok);
  }
});

test('a job that nobody will look for is stopped when its run is taken over just after it was submitted', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  await useProgram(rig, 'saving');
  const run = await rig.begin();
  const { backend, handles, forgotten } = submittingThen(rig, async () => {
    const other = await takenOver(rig, run);
    await other.advance(attemptEnded(other.state, 'train', 'lost', NOW), 'lost');
  });
  await assert.rejects(
    runJob({ engine: { ...rig.engine, backend }, run, step: jobStep({}), inputs: {} }),
    (error) => error instanceof ZephyrError && error.exit === 'conflict',
  );
  const [handle] = handles;
  assert.ok(handle !== undefined);
  assert.equal((await rig.engine.backend.scheduler.state(handle)).state, 'exited');
  assert.deepEqual(forgotten, handles);
});

test('a job that the new owner will look for goes on when its run is taken over just after it was submitted', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  await useProgram(rig, 'saving');
  const run = await rig.begin();
  const { backend, handles } = submittingThen(rig, async () => {
    await takenOver(rig, run);
  });
  await assert.rejects(runJob({ engine: { ...rig.engine, backend }, run, step: jobStep({}), inputs: {} }), ZephyrError);
  const [handle] = handles;
  assert.ok(handle !== undefined);
  t.after(() => rig.engine.backend.scheduler.cancel(handle, 0));
  assert.deepEqual(await rig.engine.backend.scheduler.state(handle), { state: 'running' });
});

test('a job is stopped when its run is gone on with where it cannot be seen', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  await useProgram(rig, 'saving');
  const run = await rig.begin();
  const { backend, handles, forgotten } = submittingThen(rig, async ({ place }) => {
    await until('the program is up', () => isThere(join(place, 'ready')));
    void (async () => {
      let found = await readRun(rig.beside, run.state.repo, run.state.run);
      while (found?.state.job?.handle == null) {
        // what is known of a commit is read without waiting, and whoever writes needs a turn
        await sleep(1);
        found = await readRun(rig.beside, run.state.repo, run.state.run);
      }
      const owner = { host: 'far-away/12345678', pid: 1, started: '1' };
      await new StageRun(rig.beside, rig.engine.now, found.state, found.head).advance({ ...found.state, owner }, 'own');
    })();
  });
  await assert.rejects(
    runJob({ engine: { ...rig.engine, backend }, run, step: jobStep({}), inputs: {}, lookMs: 5 }),
    (error) => error instanceof ZephyrError && error.exit === 'conflict',
  );
  const [handle] = handles;
  assert.ok(handle !== undefined);
  assert.deepEqual(await rig.engine.backend.scheduler.state(handle), { state: 'exited', code: 75, outOfMemory: false });
  assert.deepEqual(forgotten, handles);
});

test('who takes a run over from a machine that is gone does not wait for its job', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  await useProgram(rig, 'finish');
  const run = await rig.begin();
  await run.submitting('train', { backend: 'process', host: 'far-away/12345678' }, undefined);
  const labels = { run: run.state.run, stage: 'dsft', step: 'train', epoch: run.state.epoch };
  const handle = { backend: 'process', host: 'far-away/12345678', id: '1:1', place: '/nowhere', labels, startedAt: NOW };
  await run.hasJob(handle);
  await assert.rejects(runJob({ engine: rig.engine, run, step: jobStep({}), inputs: {} }), { exit: 'conflict' });
  const made = await runJob({ engine: { ...rig.engine, takeOver: true }, run, step: jobStep({ steps: 1 }), inputs: {} });
  assert.ok(made.ok);
  assert.deepEqual(
    run.state.attempts.train?.map(({ end }) => end),
    ['lost', undefined],
  );
});

test('a Hub that fails while a checkpoint is taken over ends nothing, and the next one is kept', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  await useProgram(rig, 'saving');
  let failures = 0;
  const commit: Hub['commit'] = async (request) => {
    if (!/checkpoint/.test(request.message) || failures > 0) return rig.beside.commit(request);
    failures += 1;
    throw new ZephyrError('Cannot commit, the Hub answered 503', { exit: 'temporary' });
  };
  const hub = { ...rig.beside, commit };
  const { backend, handles } = submittingThen(rig, ({ place }) => writeFile(join(place, 'go'), ''));
  const stopping = new AbortController();
  const emit = (event: RunEvent): void => {
    if (event.type === 'note' && /on this disk only/.test(event.message))
      void backend.scheduler.cancel(handles[0] as JobHandle, 20);
    if (event.type === 'job-submitted' && handles.length === 2) stopping.abort();
  };
  const run = await rig.begin({ ...rig.engine, hub });
  const engine = { ...rig.engine, hub, backend, emit, signal: stopping.signal };
  await assert.rejects(runJob({ engine: engine, run, step: jobStep({}), inputs: {} }), { exit: 'detached' });
  await backend.scheduler.cancel(handles[1] as JobHandle, 0);
  assert.equal(failures, 1);
  assert.deepEqual(
    run.state.checkpoints.map(({ at }) => at),
    [2],
  );
});

test('a checkpoint that is on the disk of a dead job only is not swept away while the Hub takes none', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  await useProgram(rig, 'saving');
  let isFull = true;
  const commit: Hub['commit'] = async (request) => {
    if (isFull && /checkpoint/.test(request.message))
      throw new ZephyrError('Cannot commit, the Hub answered 507', { exit: 'temporary' });
    return rig.beside.commit(request);
  };
  const hub = { ...rig.beside, commit };
  const { backend } = submittingThen(rig, async (handle) => {
    await until('the program is up', () => isThere(join(handle.place, 'ready')));
    await rig.engine.backend.scheduler.cancel(handle, 20);
  });
  const run = await rig.begin({ ...rig.engine, hub });
  await assert.rejects(runJob({ engine: { ...rig.engine, hub, backend }, run, step: jobStep({}), inputs: {} }), {
    exit: 'temporary',
  });
  isFull = false;
  const stopping = new AbortController();
  const emit = (event: RunEvent): void => void (event.type === 'job-submitted' && stopping.abort());
  await assert.rejects(
    runJob({ engine: { ...rig.engine, hub, emit, signal: stopping.signal }, run, step: jobStep({}), inputs: {} }),
    { exit: 'detached' },
  );
  await rig.engine.backend.scheduler.cancel(run.state.job?.handle as JobHandle, 0);
  assert.equal(run.state.attempts.train?.at(-1)?.resumedFromStep, 2);
});

test('a run that is cancelled from out of sight of its job: whoever follows the job has it save and end', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  await useProgram(rig, 'saving');
  const run = await rig.begin();
  const { backend, handles } = submittingThen(rig, async ({ place }) => {
    void (async () => {
      while ((await readRun(rig.beside, run.state.repo, run.state.run))?.state.job?.handle == null) await sleep(1);
      await markCancelled(rig.beside, () => new Date(), run.state);
      await writeFile(join(place, 'go'), '');
    })();
  });
  await assert.rejects(
    runJob({ engine: { ...rig.engine, backend }, run, step: jobStep({}), inputs: {} }),
    (error) => error instanceof ZephyrError && error.exit === 'cancelled',
  );
  const [handle] = handles;
  assert.ok(handle !== undefined);
  assert.deepEqual(await rig.engine.backend.scheduler.state(handle), { state: 'exited', code: 75, outOfMemory: false });

  const found = await readRun(rig.beside, run.state.repo, run.state.run);
  assert.ok(found);
  const again = await adoptRun(rig.beside, () => new Date(), found, false);
  const stopping = new AbortController();
  const engine = {
    ...rig.engine,
    signal: stopping.signal,
    emit: (event: { type: string }) => void (event.type === 'job-submitted' && stopping.abort()),
  };
  await assert.rejects(
    runJob({ engine: engine, run: again, step: jobStep({}), inputs: {} }),
    (error) => error instanceof ZephyrError && error.exit === 'detached',
  );
  const handleAgain = again.state.job?.handle;
  assert.ok(handleAgain != null);
  await rig.engine.backend.scheduler.cancel(handleAgain, 0);
  assert.deepEqual(
    again.state.checkpoints.map(({ at }) => at),
    [2, 1],
    'what it saved last was taken over',
  );
});
