import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttemptFiles } from '../../../src/backends/slurm/attempt-files.ts';
import { parseNode } from '../../../src/backends/slurm/cluster.ts';
import type { Ran } from '../../../src/backends/slurm/commands.ts';
import { askForJob, jobsNamed, parseAccounting, parseQueue, type QueuedJob } from '../../../src/backends/slurm/queue.ts';
import { reasonInWords } from '../../../src/backends/slurm/reasons.ts';
import { endedState, isFinal, isLive, liveState } from '../../../src/backends/slurm/states.ts';
import type { JobHandle } from '../../../src/model/job.ts';

const labels = { run: 'run-1', stage: 'dsft', step: 'train', epoch: 1 };
const claim: JobHandle = { backend: 'slurm', host: 'hpc', id: '7', place: 'p', labels, startedAt: '2026-01-01T00:00:00Z' };
const nothing: AttemptFiles = {
  ...{
    isThere: true,
    claim: undefined,
    exit: undefined,
    requeued: false,
    timeIsUp: false,
    takenBack: false,
    cancelled: false,
    silentSeconds: undefined,
  },
};
const begun = { ...nothing, claim };
const saved = { ...begun, exit: { code: 75, outOfMemory: false } };
const job = (state: string, reason = 'None'): QueuedJob => ({ id: '7', state, reason, nodes: 'n1' });
const ended = (state: string, files: AttemptFiles) => endedState(job(state), files, '/shared/job');
const KILLED = { state: 'exited', code: 137, outOfMemory: false };

test('a waiting job says why in words, and whether it can ever start', () => {
  const said = (reason: string) => reasonInWords(reason);
  assert.deepEqual(said('Priority'), { why: 'others are before it in the queue (Priority)', canStart: true });
  const never = ['PartitionConfig', 'BadConstraints', 'DependencyNeverSatisfied', 'AssocMaxGRESPerJob', 'QOSMaxNodePerJobLimit'];
  for (const reason of [...never, 'QOSMaxWallDurationPerJobLimit', 'PartitionTimeLimit', 'InvalidQOS', 'QOSMinGRES'])
    assert.equal(said(reason).canStart, false, reason);
  for (const reason of ['Resources', 'AssocMaxJobsLimit', 'AssocGrpGRES', 'QOSGrpNodeLimit', 'QOSMaxJobsPerUserLimit'])
    assert.equal(said(reason).canStart, true, reason);
  for (const reason of ['ReqNodeNotAvail, UnavailableNodes:n1', 'ReqNodeNotAvail, May be reserved for other job'])
    assert.equal(said(reason).canStart, true, reason);
  for (const reason of ['AssocGrpCPUMinutesLimit', 'JobHeldUser', 'PartitionDown'])
    assert.equal(said(reason).canStart, 'unknown');
  assert.deepEqual(said('SomethingNew'), { why: 'SomethingNew', canStart: 'unknown' });
});

test('lines of squeue are read, and lines that are none are passed over', () => {
  const text =
    'slurm_load_jobs warning\n12|PENDING||ReqNodeNotAvail, UnavailableNodes:n[1-2]\n13|RUNNING|n1|None\n\n14_1|PENDING||None\n';
  assert.deepEqual(parseQueue(text), [
    { id: '12', state: 'PENDING', nodes: '', reason: 'ReqNodeNotAvail, UnavailableNodes:n[1-2]' },
    { id: '13', state: 'RUNNING', nodes: 'n1', reason: 'None' },
  ]);
  assert.deepEqual(
    parseAccounting('7|CANCELLED by 1000|n1\n8|OUT_OF_ME+|n2\n9|COMPLETED|n1\n').map(({ id, state }) => [id, state]),
    [
      ['7', 'CANCELLED'],
      ['8', 'OUT_OF_ME'],
      ['9', 'COMPLETED'],
    ],
  );
});

const answering =
  (squeue: Partial<Ran>, sacct: Partial<Ran> = { exitCode: 1, why: 'Slurm accounting storage is disabled' }) =>
  async ([program]: readonly string[]): Promise<Ran> => ({
    exitCode: 0,
    stdout: '',
    why: '',
    ...(program === 'squeue' ? squeue : sacct),
  });

test('a job that the controller has dropped is absent, be it told as an error or as an empty list', async () => {
  const invalid = { exitCode: 1, why: 'slurm_load_jobs error: Invalid job id specified' };
  assert.deepEqual(await askForJob(answering(invalid), '7'), { answer: 'absent' });
  assert.deepEqual(await askForJob(answering({}), '7'), { answer: 'absent' });
  const known = await askForJob(answering(invalid, { stdout: '7|NODE_FAIL|n1\n' }), '7');
  assert.deepEqual(known, { answer: 'found', job: { id: '7', state: 'NODE_FAIL', nodes: 'n1', reason: '' } });
});

test('a controller that does not answer has said nothing', async () => {
  const away = { exitCode: 1, why: 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' };
  assert.deepEqual(await askForJob(answering(away), '7'), { answer: 'unknown', why: away.why });
  assert.deepEqual(await askForJob(answering({ exitCode: undefined, why: 'no answer' }), '7'), {
    answer: 'unknown',
    why: 'no answer',
  });
  assert.deepEqual(await jobsNamed(answering(away), 'zephyr-x'), { why: away.why });
});

test('a job is queued, made ready, and runs once it has begun', () => {
  assert.deepEqual(liveState(job('PENDING', 'BadConstraints'), nothing), { state: 'queued', ...reasonInWords('BadConstraints') });
  assert.equal(liveState(job('CONFIGURING'), nothing).state, 'starting');
  assert.equal(liveState(job('RUNNING'), nothing).state, 'starting');
  for (const state of ['RUNNING', 'COMPLETING', 'SUSPENDED', 'SOMETHING_NEW']) {
    assert.ok(isLive(job(state)));
    assert.deepEqual(liveState(job(state), begun), { state: 'running' });
  }
});

test('a job that Slurm puts back after it began has lost its place, and what it saved counts', () => {
  const why = 'Slurm put the job back into its queue';
  assert.deepEqual(liveState(job('PENDING', 'BeginTime'), begun), { ...KILLED, preempted: true, why });
  assert.deepEqual(liveState(job('PENDING', 'BeginTime'), saved), { ...KILLED, code: 75, preempted: true, why });
  assert.deepEqual(liveState(job('RUNNING'), { ...begun, requeued: true }), { ...KILLED, preempted: true, why });
  assert.deepEqual(ended('COMPLETED', { ...begun, requeued: true }), { ...KILLED, preempted: true, why });
});

test('what a program says of its end counts more than what Slurm calls it', () => {
  for (const code of [0, 65]) {
    const files = { ...begun, exit: { code, outOfMemory: false } };
    assert.ok(isFinal(files));
    for (const state of ['COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT', 'NODE_FAIL'])
      assert.deepEqual(ended(state, files), { state: 'exited', code, outOfMemory: false });
  }
  assert.equal(isFinal(saved), false);
  assert.equal(isFinal({ ...saved, cancelled: true }), true);
  assert.deepEqual(endedState(undefined, saved, '/'), { state: 'exited', code: 75, outOfMemory: false });
});

test('what took a job away is told: preemption, a node, its time, memory, somebody', () => {
  const said = (state: string, files: AttemptFiles) => {
    const { why, ...rest } = ended(state, files) as { why?: string };
    return [rest, why] as const;
  };
  const lost = { ...KILLED, code: 75, preempted: true };
  assert.deepEqual(said('PREEMPTED', saved), [lost, 'the job lost its place to another one']);
  assert.deepEqual(said('NODE_FAIL', begun), [{ ...KILLED, preempted: true }, 'a node of the job failed (n1)']);
  assert.deepEqual(said('TIMEOUT', begun)[0], { ...KILLED, cut: 'time-limit' });
  assert.deepEqual(said('FAILED', { ...saved, timeIsUp: true })[0], { ...KILLED, code: 75, cut: 'time-limit' });
  assert.deepEqual(said('FAILED', { ...saved, takenBack: true }), [lost, 'the job lost its place to another one']);
  assert.deepEqual(said('FAILED', { ...begun, takenBack: true, exit: { code: 1, outOfMemory: false } })[0], {
    ...KILLED,
    code: 1,
  });
  assert.deepEqual(said('FAILED', saved), [{ ...KILLED, code: 75 }, undefined]);
  assert.deepEqual(said('OUT_OF_MEMORY', begun), [{ ...KILLED, outOfMemory: true }, undefined]);
  assert.deepEqual(said('CANCELLED', begun)[0], { ...KILLED, cut: 'cancelled' });
  assert.deepEqual(said('CANCELLED', { ...saved, cancelled: true }), [{ ...KILLED, code: 75 }, undefined]);
  assert.match(said('FAILED', nothing)[1] ?? '', /^job 7 ended on n1 before it could write in "\/shared\/job"/);
});

test('a job that zephyr gave up for its silence is no job that somebody cancelled', () => {
  const silent = { ...begun, silentSeconds: 600 };
  const why = 'its supervisor gave no sign of life for 10 min';
  for (const state of ['CANCELLED', 'FAILED', 'COMPLETED']) assert.deepEqual(ended(state, silent), { ...KILLED, why });
  assert.deepEqual(endedState(undefined, silent, '/'), { ...KILLED, why });
  // what it says of its end after all counts
  assert.deepEqual(ended('CANCELLED', { ...saved, silentSeconds: 45 }), {
    ...KILLED,
    code: 75,
    why: 'its supervisor gave no sign of life for 45 s',
  });
  assert.deepEqual(ended('CANCELLED', { ...silent, cancelled: true }), KILLED);
  assert.deepEqual(ended('NODE_FAIL', silent), { ...KILLED, preempted: true, why: 'a node of the job failed (n1)' });
  for (const state of ['RUNNING', 'COMPLETING']) assert.deepEqual(liveState(job(state), silent), { state: 'running' });
});

test('a job that never began is absent: given up, taken back by zephyr, or forgotten', () => {
  assert.deepEqual(ended('COMPLETED', { ...nothing, claim: 'fenced' }), { state: 'absent' });
  assert.deepEqual(ended('CANCELLED', { ...nothing, cancelled: true }), { state: 'absent' });
  assert.deepEqual(endedState(undefined, nothing, '/'), { state: 'absent' });
  assert.deepEqual(endedState(undefined, begun, '/'), KILLED);
});

test('what a node has is read from the words of a site', () => {
  const node = (line: string) => parseNode(line)[0];
  assert.deepEqual(node('64|gpu:h100:8(S:0-1)'), { cores: 64, gpus: 8 });
  assert.deepEqual(node('128+|gpu:4,nvme:1'), { cores: 128, gpus: 4 });
  assert.deepEqual(node('48|gpu:a100:2(S:0),gpu:h100:2(S:1),lustre:1'), { cores: 48, gpus: 4 });
  assert.deepEqual(node('16|(null)'), { cores: 16, gpus: 0 });
  assert.deepEqual(node('16|gpu'), { cores: 16, gpus: 1 });
  assert.equal(node('nothing'), undefined);
});
