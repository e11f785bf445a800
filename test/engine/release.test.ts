import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adoptRun } from '../../src/engine/open-run.ts';
import { readRun } from '../../src/engine/read-run.ts';
import { release } from '../../src/engine/release.ts';
import { runJob } from '../../src/engine/run-job.ts';
import type { PlannedStep } from '../../src/plan/plan.ts';
import { jobStep, openRig } from './engine-rig.ts';

const step = jobStep({}) as unknown as PlannedStep;

test('a run whose job is out of sight is given up again, so that it can be gone on with where the job is', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const run = await rig.begin();
  await run.submitting('train', { backend: 'process', host: 'far-away/12345678' }, undefined);
  const thrown = await runJob({ engine: rig.engine, run, step: jobStep({}), inputs: {} }).catch((error: unknown) => error);
  await assert.rejects(release(run, step, thrown), (error) => error === thrown);
  const found = await readRun(rig.beside, run.state.repo, run.state.run);
  assert.equal(found?.state.owner, null);
  assert.equal(found.state.phase, 'detached');
  assert.equal(found.state.job?.epoch, 1);
});

test('a run that somebody else goes on with is left alone', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const run = await rig.begin();
  const found = await readRun(rig.beside, run.state.repo, run.state.run);
  assert.ok(found);
  const other = await adoptRun(rig.beside, () => new Date(Date.now() + 1), found, true);
  const thrown = await run.advance(run.state, 'go on').catch((error: unknown) => error);
  await assert.rejects(release(run, step, thrown), (error) => error === thrown);
  assert.equal((await readRun(rig.beside, run.state.repo, run.state.run))?.head, other.head);
});
