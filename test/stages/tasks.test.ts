import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { toRehearsal } from '../../src/recipe/rehearse.ts';
import { minimalRecipe, taughtRecipe } from '../recipe/minimal.ts';
import { everyStep, stages, tasks } from '../rig/stages.ts';

test('every verb of the program and every task that a step names is there and can be loaded', async () => {
  const sources = readdirSync('src/verbs').map((name) => readFileSync(join('src/verbs', name), 'utf8'));
  const verbs = [...sources.join('\n').matchAll(/import\('\.\.\/(commands\/[a-z-]+\.ts)'\)\)\.(\w+)/g)];
  assert.ok(verbs.length > 15, String(verbs.length));
  for (const [, path, name] of verbs) {
    const module = (await import(`../../src/${path}`)) as Record<string, unknown>;
    assert.equal(typeof module[name as string], 'function', `${path} ${name}`);
  }
  const published = minimalRecipe((data) => {
    data.aif = { source: 'ratings', ref: 'hf://datasets/org/x', binarize: { score: 'overall', rejected: 'random_other' } };
  });
  const recipes = [minimalRecipe(), published, taughtRecipe()].flatMap((recipe) => [recipe, toRehearsal(recipe, stages).recipe]);
  for (const recipe of recipes)
    for (const { work } of everyStep(recipe))
      if (work.kind === 'task') assert.equal(typeof tasks[work.task], 'function', work.task);
});
