import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chosenParts, type EvalSpec, evalSpec } from '../../../src/stages/eval/spec.ts';
import { evaluation } from '../../../src/stages/eval/stage.ts';
import { evalSteps, partContext } from '../../../src/stages/eval/steps.ts';
import { SUITE_NAMES, SUITES } from '../../../src/stages/eval/suites.ts';
import type { Step } from '../../../src/stages/stage.ts';
import { minimalRecipe } from '../../recipe/minimal.ts';

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
  it('are those that the verb offers', () => {
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
