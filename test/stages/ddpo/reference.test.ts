import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hardwareOf } from '../../../src/engine/hardware.ts';
import type { ZephyrError } from '../../../src/errors.ts';
import { bind } from '../../../src/plan/bind.ts';
import { changeRecipe } from '../../../src/recipe/load.ts';
import type { Recipe } from '../../../src/recipe/recipe.ts';
import { targetSpec } from '../../../src/recipe/target.ts';
import { artifact, plan } from '../../plan/planned.ts';
import { minimalRecipe } from '../../recipe/minimal.ts';
import { STAGE_STEPS, stages } from '../../rig/stages.ts';

const given = { dsft: artifact('model', 'a'), aif: artifact('dataset', 'b') };
const train = { learningRate: 1e-4, epochs: 1, globalBatch: 8, beta: 0.1 };
const lora = { r: 4, alpha: 8 };

const recipeWith = (ddpo: object) => minimalRecipe((data) => Object.assign(data, { ddpo: { train, ...ddpo } }));
const trained = (more: object) => recipeWith({ train: { ...train, ...more } });

/** Fingerprint of a step once the pairs of its stage are prepared. */
function fingerprint(recipe: Recipe, name: 'reference' | 'train', pairs = 'c'): string {
  const made = plan(recipe, ['ddpo'], { stageInputs: given });
  const step = made.steps.find((each) => each.name === name) ?? assert.fail(`there is no step ${name}`);
  const produced = new Map([
    ...Object.entries(given),
    ['ddpo/prepare', artifact('dataset', pairs)] as const,
    ['ddpo/reference', artifact('dataset', 'd')] as const,
  ]);
  return bind(made, step, produced)?.fingerprint ?? assert.fail(`${name} is not bound`);
}

describe('The reference of dDPO', () => {
  const plain = fingerprint(trained({}), 'reference');

  for (const change of [
    { beta: 0.01 },
    { lossType: 'ipo' },
    { learningRate: 5e-7 },
    { schedule: 'linear' },
    { epochs: 3 },
    { maxSteps: 2 },
    { globalBatch: 128 },
    { optimizer: 'rmsprop' },
    { gradientCheckpointing: false },
    { saveSteps: 7 },
    { trl: { label_smoothing: 0.1 } },
  ])
    it(`is used again by a training with ${JSON.stringify(change)}`, () => {
      assert.equal(fingerprint(trained(change), 'reference'), plain);
      if (!('saveSteps' in change)) assert.notEqual(fingerprint(trained(change), 'train'), fingerprint(trained({}), 'train'));
    });

  it('is used again, as the training is, with another attention: pairs are read by one of their own', () => {
    for (const step of ['reference', 'train'] as const)
      assert.equal(fingerprint(trained({ attention: 'sdpa' }), step), fingerprint(trained({}), step));
  });

  it('is used again by an adapter of another rank', () => {
    const adapted = (more: object) => fingerprint(recipeWith({ lora: { ...lora, ...more } }), 'reference');
    assert.equal(adapted({ r: 64, dropout: 0, targets: ['q_proj'] }), adapted({}));
  });

  it('is another one with another model, other pairs, another dtype, and frozen or quantized weights', () => {
    const others = [
      plain,
      fingerprint(trained({}), 'reference', 'e'),
      fingerprint(trained({ dtype: 'float32' }), 'reference'),
      fingerprint(recipeWith({ lora }), 'reference'),
      fingerprint(recipeWith({ lora: { ...lora, quantization: 'nf4' } }), 'reference'),
    ];
    assert.equal(new Set(others).size, others.length);
  });

  it('is refused with a loss that weighs the tokens of an answer, of which it knows the sum alone', async () => {
    const set = ['ddpo.train.trl.ld_alpha=0.5'];
    await assert.rejects(changeRecipe(trained({}), 'r.yaml', { stages, set }), (error: ZephyrError) => {
      assert.equal(error.exit, 'usage');
      return /weighs the tokens of an answer, expected it with ddpo\.train\.reference: online/.test(error.message);
    });
    await changeRecipe(trained({}), 'r.yaml', { stages, set: [...set, 'ddpo.train.reference=online'] });
  });

  it('is a second model in the training where the recipe says online, and has then no step', () => {
    const steps = STAGE_STEPS.ddpo(trained({ reference: 'online' }));
    assert.deepEqual(
      steps.map(({ name }) => name),
      ['prepare', 'train'],
    );
    assert.deepEqual(Object.keys(steps.at(-1)?.inputs ?? {}), ['model', 'data']);
  });

  it('of a run that began before there was a choice is what it was: a second model', () => {
    const recipe = trained({ reference: 'online' });
    const { reference: _, ...before } = recipe.ddpo.train;
    const old = { ...recipe, ddpo: { ...recipe.ddpo, train: before } };
    assert.deepEqual(STAGE_STEPS.ddpo(old), STAGE_STEPS.ddpo(recipe));
  });

  it('is computed by all ranks of the target, sharded as the training, whatever its micro batch', () => {
    const step = STAGE_STEPS.ddpo(trained({})).find(({ name }) => name === 'reference') ?? assert.fail();
    const hardware = { processes: 4, microBatch: { ddpo: 3 }, sharding: 'fsdp2', threads: 1 };
    const target = targetSpec(stages).parse({ backend: 'process', hardware });
    assert.deepEqual(hardwareOf(step, target, { device: 'cuda', cores: 8 }), {
      device: 'cuda',
      nodes: 1,
      ranks: 4,
      threads: 1,
      sharding: 'fsdp2',
      offload: false,
      microBatch: 1,
      accumulation: 1,
    });
  });
});
