import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ZephyrError } from '../../src/errors.ts';
import { stepsOf } from '../../src/plan/plan.ts';
import { refuseOtherRuns } from '../../src/plan/why.ts';
import { changeRecipe } from '../../src/recipe/load.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { taughtRecipe } from '../recipe/minimal.ts';
import { stages } from '../rig/stages.ts';

const ID = 'hf://models/local/mini-dsft@run-1';
const steps = (recipe: Recipe) => stepsOf(recipe, stages, ['dsft', 'aif', 'ddpo']);

async function resumedWith(set: string): Promise<void> {
  const before = taughtRecipe();
  const after = await changeRecipe(before, 'the recipe of run-1', { stages, set: [set] });
  refuseOtherRuns(ID, steps(before), steps(after));
}

for (const [set, difference] of [
  ['name=other', /output\.name: ".*mini-.*" -> ".*other-/],
  ['namespace=other', /output\.name: ".*\/mini-.*" -> "other\/mini-/],
  ['base=hf://models/org/another', /"hf:\/\/models\/org\/base" -> "hf:\/\/models\/org\/another"/],
  ['seed=5', /seed/],
  ['teachers.judge.model=judge-2', /"judge-1" -> "judge-2"/],
  ['dsft.train.learningRate=0.1', /learning_rate/],
  ['ddpo.train.beta=0.2', /ddpo\/.*beta: 0\.1 -> 0\.2/],
  ['aif.judge.aspects=["honesty"]', /"helpfulness" -> "honesty"/],
] as const)
  test(`a run is not resumed with --set ${set}, which makes another one`, async () => {
    await assert.rejects(resumedWith(set), (error) => {
      assert.ok(error instanceof ZephyrError);
      assert.equal(error.exit, 'conflict');
      assert.match(error.message, difference);
      assert.match(
        error.message,
        /^Cannot resume hf:\/\/models\/local\/mini-dsft@run-1 with a changed recipe: .* makes it another run$/,
      );
      return true;
    });
  });

for (const set of [
  'name=mini',
  'teachers.judge.concurrency=3',
  'teachers.judge.baseUrl=http://127.0.0.1:1/v1',
  'teachers.judge.keyFrom=OTHER_KEY',
  'dsft.train.saveSteps=7',
])
  test(`a run is resumed with --set ${set}, which changes no result`, () => resumedWith(set));
