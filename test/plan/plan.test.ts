import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ZephyrError } from '../../src/errors.ts';
import { toRehearsal } from '../../src/recipe/rehearse.ts';
import { minimalRecipe, taughtRecipe } from '../recipe/minimal.ts';
import { STAGE_NAMES, stages } from '../rig/stages.ts';
import { artifact, plan } from './planned.ts';

const MAIN = ['dsft', 'aif', 'ddpo'] as const;
const shape = (made: ReturnType<typeof plan>) =>
  made.steps.map(({ stage, name, fingerprint }) => `${stage}/${name}${fingerprint === undefined ? '' : ' known'}`);

describe('A plan', () => {
  it('lists the steps of the goal in the order in which they run, however the goal is written', () => {
    const expected = ['dsft/prepare known', 'dsft/train', 'aif/binarize known', 'ddpo/prepare', 'ddpo/reference', 'ddpo/train'];
    assert.deepEqual(shape(plan(minimalRecipe(), MAIN)), expected);
    assert.deepEqual(shape(plan(minimalRecipe(), ['ddpo', 'aif', 'dsft'])), expected);
  });

  it('knows the fingerprint of a step once all its inputs are given', () => {
    const given = { dsft: artifact('model', 'a'), aif: artifact('dataset', 'b') };
    const made = plan(minimalRecipe(), ['ddpo'], { stageInputs: given });
    assert.deepEqual(shape(made), ['ddpo/prepare known', 'ddpo/reference', 'ddpo/train']);
    assert.deepEqual(made.steps[0]?.ingredients?.inputs, { tokenizer: 'a'.repeat(64), data0: 'b'.repeat(64) });
  });

  it('of pairs without a held-out split reads none in ddpo', () => {
    const recipe = minimalRecipe((data) => {
      data.aif = { ...(data.aif as object), test: null };
    });
    const reads = (made: ReturnType<typeof plan>) => made.steps.find(({ stage }) => stage === 'ddpo')?.reads;
    assert.deepEqual(reads(plan(recipe, MAIN)), [{ input: 'data0', splits: ['train_prefs'] }]);
    assert.deepEqual(reads(plan(minimalRecipe(), MAIN)), [{ input: 'data0', splits: ['train_prefs', 'test_prefs'] }]);
  });

  it('is refused where a stage has nothing to start from, with the option that names it', () => {
    assert.throws(
      () => plan(minimalRecipe(), ['ddpo'], { stageInputs: { dsft: artifact('model', 'a') } }),
      (error: ZephyrError) => error.exit === 'usage' && /--aif hf:\/\/datasets\//.test(error.hint ?? ''),
    );
    assert.throws(
      () => plan(taughtRecipe(), ['aif']),
      (error: ZephyrError) => error instanceof ZephyrError && /--dsft hf:\/\/models\//.test(error.hint ?? ''),
    );
  });

  it('refuses the base model where the fine-tuned one is expected', () => {
    const base = { ref: { type: 'model', name: 'org/base', commit: 'a'.repeat(40) }, digest: 'a'.repeat(64) } as const;
    const stageInputs = { dsft: base, aif: artifact('dataset', 'b') };
    assert.throws(() => plan(minimalRecipe(), ['ddpo'], { stageInputs }), { message: /it is the base model$/ });
  });

  it('has no stage of a rehearsal for a recipe that is none', () => {
    assert.throws(() => plan(minimalRecipe(), STAGE_NAMES), { message: /it exists in a rehearsal only/ });
    assert.equal(plan(toRehearsal(minimalRecipe(), stages).recipe, STAGE_NAMES).stages.length, 6);
  });

  it('is a function of its request: the same data gives the same plan', () => {
    assert.deepEqual(plan(taughtRecipe(), MAIN), plan(taughtRecipe(), MAIN));
  });

  it('changes no fingerprint with how often checkpoints are saved, who serves a model, and what it costs', () => {
    const made = plan(taughtRecipe(), MAIN);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 999 }),
        fc.integer({ min: 1, max: 64 }),
        fc.webUrl(),
        (saveSteps, concurrency, baseUrl) => {
          const recipe = taughtRecipe();
          const teachers = Object.fromEntries(
            Object.entries(recipe.teachers).map(([id, spec]) => [
              id,
              {
                ...spec,
                concurrency,
                baseUrl,
                price: { input: saveSteps, output: 1, batch: 1, date: '2026-11-01', source: 'a test' },
              },
            ]),
          );
          const dsft = { ...recipe.dsft, train: { ...recipe.dsft.train, saveSteps } };
          const changed = plan({ ...recipe, teachers, dsft }, MAIN);
          assert.deepEqual(
            changed.steps.map(({ fingerprint, config }) => [fingerprint, config]),
            made.steps.map(({ fingerprint, config }) => [fingerprint, config]),
          );
        },
      ),
    );
  });

  it('changes the settings of a call with its model', () => {
    const recipe = taughtRecipe();
    const teachers = { ...recipe.teachers, judge: { ...recipe.teachers.judge, model: 'judge-2' } } as typeof recipe.teachers;
    const judge = (of: typeof recipe) => plan(of, MAIN).steps.find(({ name }) => name === 'judge')?.config;
    assert.notDeepEqual(judge({ ...recipe, teachers }), judge(recipe));
  });
});
