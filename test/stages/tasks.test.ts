import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { toRehearsal } from '../../src/recipe/rehearse.ts';
import { STAGE_STEPS } from '../../src/stages/registry.ts';
import { STAGE_NAMES } from '../../src/stages/stage.ts';
import { tasks } from '../../src/stages/tasks.ts';
import { minimalRecipe, taughtRecipe } from '../recipe/minimal.ts';

test('every verb of the program and every task that a step names is there and can be loaded', async () => {
  const verbs = [...readFileSync('src/cli.ts', 'utf8').matchAll(/import\('(\.\/commands\/[a-z-]+\.ts)'\)\)\.(\w+)/g)];
  assert.ok(verbs.length > 10);
  for (const [, path, name] of verbs) {
    const module = (await import(`../../src/${path}`)) as Record<string, unknown>;
    assert.equal(typeof module[name as string], 'function', `${path} ${name}`);
  }
  const published = minimalRecipe((data) => {
    data.aif = { source: 'ratings', ref: 'hf://datasets/org/x', binarize: { score: 'overall', rejected: 'random_other' } };
  });
  const recipes = [minimalRecipe(), published, taughtRecipe()].flatMap((recipe) => [recipe, toRehearsal(recipe).recipe]);
  for (const recipe of recipes)
    for (const stage of STAGE_NAMES)
      for (const { work } of STAGE_STEPS[stage](recipe))
        if (work.kind === 'task') assert.equal(typeof tasks[work.task], 'function', work.task);
});
