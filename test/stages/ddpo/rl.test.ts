import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hardwareOf } from '../../../src/engine/hardware.ts';
import type { ZephyrError } from '../../../src/errors.ts';
import { changeRecipe } from '../../../src/recipe/load.ts';
import { toRehearsal } from '../../../src/recipe/rehearse.ts';
import { targetSpec } from '../../../src/recipe/target.ts';
import { minimalRecipe } from '../../recipe/minimal.ts';
import { STAGE_STEPS, type StagedRecipe, stages } from '../../rig/stages.ts';

const recipe = minimalRecipe();
const changed = async (...set: string[]) => (await changeRecipe(recipe, 'r.yaml', { stages, set })) as StagedRecipe;
const repos = (of: StagedRecipe) => STAGE_STEPS.ddpo(of).map(({ name, output }) => [name, output.name.split('/')[1]]);

/** The one line that refuses these values. */
async function refusal(...set: string[]): Promise<string> {
  const error = await changed(...set).then(
    () => assert.fail('expected a mistake'),
    (thrown: ZephyrError) => thrown,
  );
  assert.equal(error.exit, 'usage');
  return error.message;
}

describe('The method of dDPO', () => {
  it('is DPO, also of a run that began before there was a choice', () => {
    const { method: _, ...before } = recipe.ddpo;
    assert.equal(recipe.ddpo.method, 'dpo');
    assert.deepEqual(STAGE_STEPS.ddpo({ ...recipe, ddpo: before as typeof recipe.ddpo }), STAGE_STEPS.ddpo(recipe));
  });

  it('rloo makes a reward model and learns from it, on the rows that DPO learns from', async () => {
    const rloo = await changed('ddpo.method=rloo');
    assert.deepEqual(repos(rloo), [
      ['prepare', 'mini-dpo-data'],
      ['reward', 'mini-reward'],
      ['train', 'mini-rloo'],
    ]);
    const [prepare, reward, train] = STAGE_STEPS.ddpo(rloo);
    assert.deepEqual(prepare, STAGE_STEPS.ddpo(recipe)[0]);
    assert.deepEqual(Object.keys(reward?.inputs ?? {}), ['model', 'data']);
    assert.deepEqual(Object.keys(train?.inputs ?? {}), ['model', 'reward', 'data']);
  });

  it('merges adapters into a repo of its own', async () => {
    assert.deepEqual(repos(await changed('ddpo.method=rloo', 'ddpo.lora={r: 4, alpha: 8}')).slice(2), [
      ['train', 'mini-rloo-adapter'],
      ['merge', 'mini-rloo'],
    ]);
  });

  it('ppo runs the frozen trainer in an environment of its own, and in one process alone', async () => {
    const step = STAGE_STEPS.ddpo(await changed('ddpo.method=ppo')).at(-1) ?? assert.fail();
    assert.equal(step.output.name, 'local/mini-ppo');
    assert.ok(step.work.kind === 'job' && step.work.program === 'ppo' && step.work.environment === 'ppo');
    assert.match(step.summary, /PPO of TRL 1\.12\.0, frozen/);
    const on = (processes: number) => targetSpec(stages).parse({ backend: 'process', hardware: { processes, threads: 1 } });
    assert.equal(hardwareOf(step, on(1), { device: 'cuda', cores: 8 }).ranks, 1);
    assert.throws(
      () => hardwareOf(step, on(2), { device: 'cuda', cores: 8 }),
      (error: ZephyrError) =>
        error.exit === 'usage' && /ddpo\/train .* in 2 processes: its program knows one alone/.test(error.message),
    );
  });

  it('takes from `train` all that both trainings have in common, and nothing that is of DPO alone', async () => {
    const config = async (...set: string[]) => STAGE_STEPS.ddpo(await changed('ddpo.method=rloo', ...set)).at(-1)?.config;
    const plain = await config();
    assert.deepEqual(await config('ddpo.train.beta=0.7', 'ddpo.train.lossType=ipo', 'ddpo.train.learningRate=0.3'), plain);
    assert.notDeepEqual(await config('ddpo.train.schedule=constant'), plain);
    assert.notDeepEqual(await config('ddpo.rl.beta=0.7'), plain);
  });

  it('alone takes its sections', async () => {
    assert.match(await refusal('ddpo.rl.beta=0.1'), /"ddpo\.rl" is read by the methods rloo and ppo/);
    assert.match(await refusal('ddpo.reward.epochs=2'), /left out with ddpo\.method: dpo/);
  });

  it('refuses groups that do not divide a step, and answers that leave no room for a prompt', async () => {
    const rloo = 'ddpo.method=rloo';
    assert.match(await refusal(rloo, 'ddpo.rl.generations=3'), /expected a multiple of ddpo\.rl\.generations/);
    assert.match(await refusal(rloo, 'ddpo.rl.maxNewTokens=1024'), /expected fewer than ddpo\.prepare\.maxLength, 1024 tokens/);
    assert.match(await refusal(rloo, 'ddpo.rl.generations=1'), /ddpo\.rl\.generations/);
  });

  it('is rehearsed as it is', async () => {
    const { ddpo } = toRehearsal(await changed('ddpo.method=rloo', 'ddpo.rl.beta=0.2'), stages).recipe;
    assert.equal(ddpo.method, 'rloo');
    assert.equal(ddpo.rl?.beta, 0.2);
    assert.ok((ddpo.rl?.maxSteps ?? 1e9) < 100 && (ddpo.reward?.maxSteps ?? 1e9) < 100);
    assert.equal(toRehearsal(recipe, stages).recipe.ddpo.rl, undefined);
  });
});
