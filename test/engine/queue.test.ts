import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { FolderWorkspace } from '../../src/backends/folder-workspace.ts';
import { attemptName } from '../../src/backends/job-folder.ts';
import { openBackend } from '../../src/backends/registry.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { adoptRun } from '../../src/engine/open-run.ts';
import { readRun } from '../../src/engine/read-run.ts';
import { runJob } from '../../src/engine/run-job.ts';
import type { StageRun } from '../../src/engine/stage-run.ts';
import { ZephyrError } from '../../src/errors.ts';
import type { RunEvent } from '../../src/model/event.ts';
import type { JobHandle } from '../../src/model/job.ts';
import { type FakeQueue, fakeQueue } from '../rig/fake-queue.ts';
import { isThere, ROOT, until } from '../rig/job-rig.ts';
import { jobStep, openRig, type Rig, useProgram } from './engine-rig.ts';

interface QueueRig extends Rig {
  readonly queue: FakeQueue;
  /** an engine that is told of what happens, over the same queue */
  readonly on: (tell: (event: RunEvent) => void) => Engine;
}

/** The rig with a cluster in place of this machine. */
async function openQueueRig(t: TestContext, program: string): Promise<QueueRig> {
  const rig = await openRig();
  t.after(rig.close);
  await useProgram(rig, program);
  const place = {
    host: 'login-1/boot',
    root: ROOT,
    cache: join(rig.folder, 'cache'),
    jobs: join(rig.folder, 'shared'),
    hub: rig.beside,
  };
  const backend = await openBackend({ backend: 'queue', options: { python: 'python3' } }, place, { queue: fakeQueue });
  const on = (tell: (event: RunEvent) => void): Engine => ({
    ...rig.engine,
    backend,
    emit: (event) => {
      rig.engine.emit(event);
      tell(event);
    },
  });
  const engine = on(() => undefined);
  return { ...rig, engine, queue: backend.scheduler as FakeQueue, on };
}

const work = (engine: Engine, run: StageRun, config = {}) => runJob({ engine, run, step: jobStep(config), inputs: {} });
const ofType = <T extends RunEvent['type']>({ events }: Rig, type: T) =>
  events.filter((event): event is Extract<RunEvent, { type: T }> => event.type === type);
const folderOf = ({ engine }: Rig, { place }: JobHandle) => (engine.backend.workspace as FolderWorkspace).folder(place);

test('a job that waits says for what, and runs when its turn comes', async (t) => {
  const rig = await openQueueRig(t, 'finish');
  rig.queue.hold = { why: 'Priority', canStart: 'unknown' };
  const gate = join(rig.folder, 'gate');
  const engine = rig.on((event) => {
    if (event.type !== 'job-state') return;
    // a job that ends between two looks is never seen running
    if (event.state === 'running') writeFileSync(gate, '');
    else rig.queue.hold = event.why === 'Priority' ? { why: 'Resources', canStart: true } : undefined;
  });
  const outcome = await work(engine, await rig.begin(), { steps: 2, gate });
  assert.ok(outcome.ok);
  assert.deepEqual(
    ofType(rig, 'job-state').map(({ state, why }) => [state, why]),
    [
      ['queued', 'Priority'],
      ['queued', 'Resources'],
      ['running', null],
    ],
  );
});

test('a job that can never start ends the run with the reason, is taken back, and is not started again', async (t) => {
  const rig = await openQueueRig(t, 'finish');
  rig.queue.hold = { why: 'PartitionConfig', canStart: false };
  const run = await rig.begin();
  await assert.rejects(
    work(rig.engine, run),
    (error) =>
      error instanceof ZephyrError &&
      error.exit === 'preflight' &&
      /can never start on cluster-a: PartitionConfig$/.test(error.message),
  );
  assert.equal(rig.queue.submitted.length, 1);
  assert.equal(rig.queue.forgotten.size, 1);
  assert.equal(run.state.job, null);
  assert.deepEqual(
    run.state.attempts.train?.map(({ end }) => end),
    ['never-started'],
  );
});

test('a reason that passes is not believed, however hopeless it sounds', async (t) => {
  const rig = await openQueueRig(t, 'finish');
  rig.queue.neverStartsMs = 60_000;
  rig.queue.hold = { why: 'PartitionConfig', canStart: false };
  const engine = rig.on((event) => {
    if (event.type === 'job-state') rig.queue.hold = undefined;
  });
  assert.ok((await work(engine, await rig.begin(), { steps: 1 })).ok);
});

test('a queue that takes no job says why, and the run can be gone on with', async (t) => {
  const rig = await openQueueRig(t, 'finish');
  rig.queue.refusal = 'your allocation is used up';
  const run = await rig.begin();
  await assert.rejects(work(rig.engine, run), { exit: 'preflight', message: /allocation is used up/ });
  assert.deepEqual(rig.queue.submitted, []);
  rig.queue.refusal = undefined;
  assert.ok((await work(rig.engine, run, { steps: 1 })).ok);
  assert.equal(rig.queue.submitted.length, 1);
});

test('twenty minutes in which the queue does not answer start no job again', async (t) => {
  const rig = await openQueueRig(t, 'finish');
  // asked every second, then ever more rarely, it is asked so often in twenty minutes
  const engine = rig.on((event) => {
    if (event.type === 'job-submitted') rig.queue.silentFor = 45;
  });
  const outcome = await work(engine, await rig.begin(), { steps: 5, seconds: 0.1 });
  assert.ok(outcome.ok);
  assert.equal(rig.queue.silentFor, 0);
  assert.equal(rig.queue.submitted.length, 1);
  assert.deepEqual(
    ofType(rig, 'note').map(({ message }) => message),
    ['queue does not answer (Unable to contact the controller); waiting, the job may well go on', 'queue answers again'],
  );
});

test('a job that is preempted goes on from its newest checkpoint, as often as it takes', async (t) => {
  const rig = await openQueueRig(t, 'saving');
  const stopping = new AbortController();
  const PREEMPTIONS = 5;
  const engine = rig.on((event) => {
    if (event.type !== 'job-submitted') return;
    if (ofType(rig, 'job-submitted').length > PREEMPTIONS) return stopping.abort();
    void until('the program is up', () => isThere(join(folderOf(rig, event.handle), 'ready'))).then(() =>
      rig.queue.preempt(event.handle),
    );
  });
  const run = await rig.begin();
  await assert.rejects(work({ ...engine, signal: stopping.signal }, run), { exit: 'detached' });
  await rig.queue.cancel(run.state.job?.handle as JobHandle, 0);
  assert.equal(rig.queue.submitted.length, PREEMPTIONS + 1);
  assert.deepEqual(
    run.state.attempts.train?.map(({ end, resumedFromStep }) => [end, resumedFromStep]),
    [['interrupted', undefined], ...Array.from({ length: PREEMPTIONS - 1 }, () => ['interrupted', 2]), [undefined, 2]],
  );
});

test('a job that its queue has forgotten is known by what it left', async (t) => {
  const rig = await openQueueRig(t, 'finish');
  const engine = rig.on((event) => {
    if (event.type !== 'job-submitted') return;
    rig.queue.silentFor = Number.POSITIVE_INFINITY;
    const exit = join(folderOf(rig, event.handle), 'control', attemptName(event.handle.labels), 'exit.json');
    void until('the job is over', () => isThere(exit)).then(() => {
      rig.queue.forgotten.add(event.handle.id);
      rig.queue.silentFor = 0;
    });
  });
  const outcome = await work(engine, await rig.begin(), { steps: 3 });
  assert.ok(outcome.ok, 'result.json proves it');
  const refused = await work(engine, await rig.begin(), { exit: 65 });
  assert.ok(!refused.ok && refused.failure.reason === 'bad-data');
  assert.equal(rig.queue.submitted.length, 2);
});

test('a job of a cluster is taken up from its next login node, and from no other cluster', async (t) => {
  const rig = await openQueueRig(t, 'finish');
  rig.queue.hold = { why: 'Priority', canStart: true };
  const stopping = new AbortController();
  const engine = rig.on((event) => void (event.type === 'job-state' && stopping.abort()));
  const run = await rig.begin();
  await assert.rejects(work({ ...engine, signal: stopping.signal }, run, { steps: 1 }), { exit: 'detached' });
  rig.queue.hold = undefined;
  await writeFile(join(rig.folder, 'elsewhere'), '');

  const found = await readRun(rig.beside, run.state.repo, run.state.run);
  assert.ok(found);
  const again = await adoptRun(rig.beside, () => new Date(), found, true);
  const other = await openBackend(
    { backend: 'queue', options: { python: 'python3', cluster: 'cluster-b' } },
    { host: 'login-2/boot', root: ROOT, cache: '', jobs: join(rig.folder, 'shared'), hub: rig.beside },
    { queue: fakeQueue },
  );
  await assert.rejects(work({ ...rig.engine, backend: other }, again), { exit: 'conflict', message: /its job is on cluster-a/ });
  assert.ok((await work(rig.engine, again, { steps: 1 })).ok);
  assert.equal(rig.queue.submitted.length, 1);
  assert.equal(ofType(rig, 'job-adopted').length, 1);
});
