import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkRecipe } from '../../../src/recipe/check.ts';
import { chosenParts, type EvalSpec, evalSpec } from '../../../src/stages/eval/spec.ts';
import { evaluation } from '../../../src/stages/eval/stage.ts';
import { evalSteps, partContext } from '../../../src/stages/eval/steps.ts';
import { SUITE_NAMES, SUITES } from '../../../src/stages/eval/suites.ts';
import type { Step } from '../../../src/stages/stage.ts';
import { minimalRecipe } from '../../recipe/minimal.ts';
import { stages } from '../../rig/stages.ts';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const recipe = minimalRecipe();
const spec = (more: object = {}): EvalSpec => evalSpec.parse({ parts: ['refusals'], ...more });
const settingsOf = (name: string, more: object) =>
  chosenParts(evalSpec.parse(more)).find(({ part }) => part.name === name)?.settings;
/** All of a step that its fingerprint depends on, but for the digests of its inputs, and the repo that it publishes in. */
const identity = ({ name, config, files, output, inputs }: Step) => ({
  name,
  config,
  files,
  output,
  inputs: Object.keys(inputs),
});

describe('The suites of an evaluation', () => {
  it('are those that the verb offers, and none is empty', () => {
    for (const name of SUITE_NAMES) assert.ok(SUITES[name].length > 0, name);
    assert.deepEqual(evaluation.measures.suites, SUITE_NAMES);
  });

  it('take settings of the recipe over those of the suite over those of the part', () => {
    assert.deepEqual(settingsOf('refusals', { suite: 'modern' }), { prompts: 'all', maxTokens: 256 });
    assert.deepEqual(settingsOf('refusals', { suite: 'smoke' }), { prompts: 'few', maxTokens: 48 });
    assert.deepEqual(settingsOf('refusals', { suite: 'smoke', refusals: { maxTokens: 9 } }), { prompts: 'few', maxTokens: 9 });
  });

  it('smoke asks no judge, so that anybody can run it', () => {
    assert.deepEqual(
      SUITES.smoke.filter(({ part }) => part.isJudged === true),
      [],
    );
  });

  it('that need a judge are refused without one before anything runs, with the way out', () => {
    const judged = SUITES.paper.filter(({ part }) => part.isJudged === true);
    assert.ok(judged.length > 0);
    const told = (more: object) =>
      checkRecipe({ ...recipe, eval: evalSpec.parse({ suite: 'paper', ...more }) }, stages).map(({ message }) => message);
    const names = judged.map(({ part }) => part.name).join(', ');
    assert.match(
      told({})[0] ?? '',
      new RegExp(`^eval\\.judges: expected a teacher who judges ${names}(, or the suite without it: eval\\.parts=\\[.+\\])?$`),
    );
    const [unknown = ''] = told({ judges: ['nobody'] });
    assert.match(unknown, /^eval\.judges\.0: unknown teacher "nobody"/);
    assert.deepEqual(told({ parts: ['refusals'] }), []);
  });
});

describe('The steps of an evaluation', () => {
  it('are the same for what a stage makes and for that model by its reference, so that neither is evaluated twice', () => {
    const byStage = evalSteps(recipe, spec({ model: 'ddpo' }));
    const byRef = evalSteps(recipe, spec({ model: `hf://models/local/mini-ddpo@${COMMIT}` }));
    assert.deepEqual(byStage.map(identity), byRef.map(identity));
    assert.deepEqual(byStage.at(-1)?.output, { type: 'dataset', name: 'local/mini-ddpo-eval-smoke' });
  });

  it('take the base model of the recipe for "base"', () => {
    const { model, repo } = partContext(recipe, spec({ model: 'base' }));
    assert.deepEqual(model, { from: 'hub', ref: recipe.base });
    assert.equal(repo('smoke').name, 'local/base-eval-smoke');
  });

  it('publish under a name that the Hub takes, whatever the model is called', () => {
    const named = (name: string) =>
      partContext(recipe, spec({ model: `hf://models/org/${name}` })).repo('alpaca-eval-answers').name;
    const [one, other] = [named(`${'long-name-'.repeat(8)}a`), named(`${'long-name-'.repeat(8)}b`)];
    assert.ok(one.length <= 96 && other.length <= 96);
    assert.notEqual(one, other);
    assert.match(one, /^local\/long-name-.*-[0-9a-f]{8}-eval-alpaca-eval-answers$/);
  });

  it('of the results name the model without bringing its weights to this machine', () => {
    assert.deepEqual(evalSteps(recipe, spec()).at(-1)?.named, ['model']);
  });
});
