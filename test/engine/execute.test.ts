import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Scheduler } from '../../src/backends/scheduler.ts';
import { executePlan } from '../../src/engine/execute.ts';
import { readRun } from '../../src/engine/read-run.ts';
import { ZephyrError } from '../../src/errors.ts';
import type { Hub } from '../../src/hub/hub.ts';
import type { JobHandle } from '../../src/model/job.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { jobStep, openRig, useProgram, withScheduler } from './engine-rig.ts';

test('a run that stopped between publishing its last step and saying so is ended when it is resumed, its job forgotten', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  await useProgram(rig, 'finish');
  const step = jobStep({ steps: 1 });
  const plan = {
    recipe: {},
    stages: ['dsft'],
    steps: [{ ...step, ingredients: undefined, fingerprint: undefined }],
    stageInputs: {},
    pins: new Map(),
    fileDigests: { 'dsft.py': '0'.repeat(64) },
    environments: { train: '0'.repeat(64) },
  } as unknown as Plan;
  let run = '';
  const commit: Hub['commit'] = async (request) => {
    if (request.branch !== 'main') run = request.branch;
    // as when zephyr is killed: nothing is written to the run from here on
    if (/zephyr: (publish|failed)/.test(request.message)) throw new ZephyrError('The Hub is away', { exit: 'temporary' });
    return rig.beside.commit(request);
  };
  await assert.rejects(executePlan({ ...rig.engine, hub: { ...rig.beside, commit } }, plan, undefined), { exit: 'temporary' });
  assert.equal((await readRun(rig.beside, step.output, run))?.state.phase, 'running');

  const forgotten: JobHandle[] = [];
  const forget: Scheduler['forget'] = async (handle) => void forgotten.push(handle);
  const engine = { ...rig.engine, backend: withScheduler(rig.engine.backend, { forget }) };
  const resume = { stage: 'dsft', run } as const;
  const [ended] = await executePlan(engine, plan, resume);
  assert.ok(ended?.ok && ended.reused);
  const found = await readRun(rig.beside, step.output, run);
  assert.equal(found?.state.phase, 'done');
  assert.equal(found.state.job, null);
  assert.equal(forgotten.length, 1);

  await executePlan(engine, plan, resume);
  assert.equal((await readRun(rig.beside, step.output, run))?.head, found.head, 'a run that is done stays as it is');
});
