import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { environmentNames, hubRefs } from '../../src/plan/plan.ts';
import { checkRecipe } from '../../src/recipe/check.ts';
import { fullRecipe } from '../../src/recipe/recipe.ts';
import { toRehearsal } from '../../src/recipe/rehearse.ts';
import { SIZES } from '../../src/stages/rehearsal-sizes.ts';
import { STAGE_NAMES, stages } from '../rig/stages.ts';
import { minimalRecipe, taughtRecipe } from './minimal.ts';

const recipes = {
  pairs: minimalRecipe(),
  teachers: taughtRecipe(),
  ratings: minimalRecipe((data) => {
    data.aif = {
      source: 'ratings',
      ref: 'hf://datasets/org/ratings',
      binarize: { score: 'overall', rejected: 'random_other' },
    };
  }),
  delta: minimalRecipe((data) => {
    data.teachers = { big: { provider: 'openai', model: 'big-1' }, small: { provider: 'openai', model: 'small-1' } };
    const prompts = { sources: [{ list: ['a'] }], decontaminate: [{ ref: 'hf://datasets/org/benchmark' }] };
    data.aif = { source: 'delta', prompts, strong: { teacher: 'big' }, weak: { teacher: 'small' } };
  }),
};

describe('A rehearsal', () => {
  for (const [name, recipe] of Object.entries(recipes)) {
    it(`of a recipe with ${name} is a valid recipe that reads nothing from the Hub and pays nobody`, () => {
      const rehearsal = toRehearsal(recipe, stages).recipe;
      const again = fullRecipe(stages).parse(JSON.parse(JSON.stringify(rehearsal)));
      assert.deepEqual(JSON.parse(JSON.stringify(again)), JSON.parse(JSON.stringify(rehearsal)));
      assert.deepEqual(checkRecipe(rehearsal, stages), []);
      assert.deepEqual(hubRefs(rehearsal, stages, STAGE_NAMES), []);
      assert.ok(Object.values(rehearsal.teachers).every(({ provider }) => provider === 'practice'));
    });
  }

  it('keeps the shape: the same stages, sources, own model in the pool, adapters', () => {
    const rehearsal = toRehearsal(recipes.teachers, stages).recipe;
    assert.equal(rehearsal.dsft.data.source, 'teacher');
    assert.equal(rehearsal.aif.source, 'teachers');
    assert.deepEqual(rehearsal.aif.source === 'teachers' && rehearsal.aif.pool.flatMap(({ model }) => model ?? []), ['dsft']);
    assert.equal(rehearsal.dsft.lora?.quantization, 'none');
    const targets = recipes.teachers.dsft.lora?.targets ?? [];
    assert.deepEqual(rehearsal.dsft.lora?.targets, [...targets, 'embed_tokens', 'lm_head'], 'a random base has no words yet');
  });

  it('lists every change with its reason, and nothing that it keeps', () => {
    const { recipe: rehearsal, differences } = toRehearsal(recipes.teachers, stages);
    assert.ok(differences.every(({ why }) => why.length > 0));
    const rate = differences.find(({ path }) => path === 'dsft.train.learningRate');
    assert.deepEqual([rate?.recipe, rate?.rehearsal], [1e-4, SIZES.lora.sftLearningRate]);
    assert.ok(!differences.some(({ path }) => path === 'seed' || path === 'dsft.train.schedule'));
    assert.equal(rehearsal.seed, recipes.teachers.seed);
  });

  it('goes without what needs a Python environment that cannot be had, and says so', () => {
    const whole = toRehearsal(recipes.pairs, stages);
    assert.deepEqual([whole.recipe.eval?.suite, whole.recipe.eval?.parts, whole.leftOut], ['smoke', undefined, []]);
    const { recipe: rehearsal, leftOut } = toRehearsal(recipes.pairs, stages, { canHave: (name) => name === 'train' });
    assert.deepEqual(rehearsal.eval?.parts, ['refusals']);
    assert.deepEqual(leftOut, [{ stage: 'eval', what: 'harness', environment: 'lm-eval' }]);
    assert.ok(!environmentNames(rehearsal, stages, STAGE_NAMES).includes('lm-eval'));
  });

  it('never writes over what it rehearses', () => {
    assert.equal(toRehearsal(recipes.pairs, stages).recipe.name, 'mini-rehearsal');
  });
});
