import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkRecipe } from '../../../../src/recipe/check.ts';
import { judgeSpec } from '../../../../src/stages/aif/judge/spec.ts';
import type { BinarizeRule } from '../../../../src/stages/aif/pairs/rule.ts';
import { binarizeSpec } from '../../../../src/stages/aif/pairs/spec.ts';
import { aifSpec } from '../../../../src/stages/aif/spec.ts';
import { minimalRecipe, taughtRecipe } from '../../../recipe/minimal.ts';
import { STAGE_STEPS, stages } from '../../../rig/stages.ts';

const recipeWith = (binarize: object, judge: object = { teachers: ['judge'] }) =>
  taughtRecipe((aif) => ({
    ...aif,
    judge: judgeSpec.parse(judge),
    binarize: binarizeSpec.parse({ testPrompts: 0, ...binarize }),
  }));
const mistakes = (binarize: object, judge?: object) =>
  checkRecipe(recipeWith(binarize, judge), stages).map(({ message }) => message);
const ruleOf = (binarize: object, judge?: object) =>
  STAGE_STEPS.aif(recipeWith(binarize, judge)).at(-1)?.config as unknown as BinarizeRule;

describe('The rule of the pairs in a recipe', () => {
  it('takes only scores that the judge gives', () => {
    for (const [score, judge] of [
      ['mean_aspects', { teachers: ['judge'] }],
      ['weighted', { teachers: ['judge'] }],
      ['overall', { teachers: ['judge'], overall: true }],
      ['expected', { teachers: ['judge'], mode: 'expected' }],
      ['pairwise', { teachers: ['judge'], mode: 'pairwise' }],
      ['reward', { by: 'reward_model', model: 'hf://models/org/reward' }],
    ] as const) {
      const weights = score === 'weighted' ? { weights: { honesty: 2 } } : {};
      assert.deepEqual(mistakes({ score, ...weights }, judge), [], score);
    }
    assert.deepEqual(mistakes({ score: 'reward' }), [
      'aif.binarize.score: expected mean_aspects or weighted, or another mode, aspects or overall of aif.judge; got reward',
    ]);
    assert.match(mistakes({ score: 'expected' })[0] ?? '', /expected mean_aspects or weighted/);
    assert.match(mistakes({}, { teachers: ['judge'], mode: 'pairwise' })[0] ?? '', /expected pairwise, or/);
    assert.match(mistakes({}, { by: 'reward_model', model: 'hf://models/org/reward' })[0] ?? '', /expected reward, or a judge/);
  });

  it('leaves prompts to train on, as far as the recipe tells how many there are', () => {
    assert.deepEqual(mistakes({ testPrompts: 2 }), [
      'aif.binarize.testPrompts: expected less than the number of prompts, 2, got 2: none would be left to train on',
    ]);
    assert.deepEqual(mistakes({ testPrompts: 1 }), []);
    const delta = (testPrompts: number) => {
      const recipe = taughtRecipe();
      const prompts = recipe.aif.source === 'teachers' ? recipe.aif.prompts : assert.fail();
      const own = { source: 'delta', prompts, strong: { teacher: 'talk' }, weak: { model: 'dsft' }, testPrompts };
      return checkRecipe({ ...recipe, aif: aifSpec.parse(own) }, stages).map(({ message }) => message);
    };
    assert.match(delta(2)[0] ?? '', /^aif\.testPrompts: expected less than the number of prompts, 2, got 2/);
    assert.deepEqual(delta(1), []);
  });

  it('has weights and a margin band where they mean something, and there only', () => {
    assert.deepEqual(mistakes({ score: 'weighted' }), ['aif.binarize.weights: missing: score: weighted needs it']);
    assert.deepEqual(mistakes({ weights: { honesty: 1 } }), ['aif.binarize.weights: has no effect without score: weighted']);
    assert.match(mistakes({ score: 'weighted', weights: { honesty: 0 } })[0] ?? '', /at least one weight above 0/);
    const one = { teachers: ['judge'], aspects: ['helpfulness'] };
    assert.match(mistakes({ score: 'weighted', weights: { honesty: 1 } }, one)[0] ?? '', /rated \(helpfulness\), got honesty/);
    assert.match(mistakes({ rejected: 'margin_band' })[0] ?? '', /marginBand: missing/);
    assert.match(mistakes({ marginBand: { min: 1, max: 2 } })[0] ?? '', /marginBand: has no effect/);
    const band = { rejected: 'margin_band', marginBand: { min: 1, max: 2 } };
    assert.deepEqual(mistakes(band), []);
    assert.deepEqual(mistakes({ ...band, minMargin: 2 }), [], 'a band that ends where the least margin begins has one');
    assert.match(mistakes({ ...band, minMargin: 3 })[0] ?? '', /expected max to be at least minMargin, 3, got 2/);
    assert.equal(binarizeSpec.safeParse({ ...band, marginBand: { min: 2, max: 1 } }).success, false);
  });

  it('asks for no more than the best score, and for room in the trainer', () => {
    assert.deepEqual(mistakes({ minChosen: 5 }), []);
    assert.match(mistakes({ minChosen: 6 })[0] ?? '', /expected at most 5, the best score, got 6/);
    assert.deepEqual(mistakes({ score: 'overall', minChosen: 6 }, { teachers: ['judge'], overall: true }), []);
    assert.deepEqual(mistakes({ trainerMaxLength: 513 }), []);
    assert.match(mistakes({ trainerMaxLength: 512 })[0] ?? '', /more than ddpo.prepare.maxPromptLength, 512, got 512/);
  });

  it('holds for published ratings as well', () => {
    const published = (binarize: object) =>
      checkRecipe(
        minimalRecipe((data) => {
          data.aif = { source: 'ratings', ref: 'hf://datasets/org/x', binarize: { rejected: 'lowest', ...binarize } };
        }),
        stages,
      ).map(({ message }) => message);
    assert.deepEqual(published({ score: 'weighted', weights: { honesty: 1 } }), []);
    assert.match(published({ score: 'pairwise' })[0] ?? '', /published ratings hold no more/);
  });

  it('drops thin margins and bad winners by default where the scale is 1 to 5, and nothing elsewhere', () => {
    assert.deepEqual([ruleOf({}).min_margin, ruleOf({}).min_chosen], [0.5, 3]);
    const reward = ruleOf({ score: 'reward' }, { by: 'reward_model', model: 'hf://models/org/reward' });
    assert.deepEqual([reward.min_margin, reward.min_chosen, reward.aspects], [0, null, []]);
    assert.deepEqual([ruleOf({ minMargin: 0, minChosen: 0 }).min_margin, ruleOf({ minChosen: 0 }).min_chosen], [0, 0]);
  });

  it('cuts as the trainer of the same recipe does, unless it says otherwise', () => {
    assert.deepEqual(ruleOf({}).trainer, { max_length: 1024, max_prompt_length: 512 });
    assert.deepEqual(ruleOf({ trainerMaxLength: 2048 }).trainer, { max_length: 2048, max_prompt_length: 512 });
  });

  it('changes the last step of the stage and no other', () => {
    const steps = (binarize: object) => STAGE_STEPS.aif(recipeWith(binarize));
    const [before, now] = [steps({}), steps({ rejected: 'lowest', lengthResidual: true, minMargin: 1 })];
    assert.deepEqual(now.slice(0, -1), before.slice(0, -1));
    assert.notDeepEqual(now.at(-1), before.at(-1));
  });

  it('knows the licences of what the pool writes, by the names that answers have', () => {
    const recipe = taughtRecipe((aif) => ({
      ...aif,
      pool: aif.pool.map((member) => (member.model === 'dsft' ? { ...member, licence: 'apache-2.0' } : member)),
    }));
    const talk = recipe.teachers.talk;
    assert.ok(talk);
    const known = { ...recipe, teachers: { ...recipe.teachers, talk: { ...talk, licence: 'terms' } } };
    const rule = STAGE_STEPS.aif(known).at(-1)?.config as unknown as BinarizeRule | undefined;
    assert.deepEqual(rule?.licences, { talk: 'terms', 'answers-1': 'apache-2.0' });
  });
});
