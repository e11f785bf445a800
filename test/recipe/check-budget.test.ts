import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRecipe } from '../../src/recipe/check.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import type { DsftSpec } from '../../src/stages/dsft/spec.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import { stages } from '../rig/stages.ts';
import { taughtRecipe } from './minimal.ts';

const price = { input: 1, output: 2, batch: 0.5, date: '2026-11-01', source: 'a test' };
const capped = taughtRecipe((aif) => ({ ...aif, budgetUsd: 5 }));

function priced(recipe: Recipe, ids: readonly string[]): Recipe {
  const teachers = Object.entries(recipe.teachers).map(([id, spec]) => [id, ids.includes(id) ? { ...spec, price } : spec]);
  return { ...recipe, teachers: Object.fromEntries(teachers) };
}
const messages = (recipe: Recipe) =>
  checkRecipe(recipe, stages)
    .map(({ message }) => message)
    .filter((message) => message.includes('price'));

test('a budget names every teacher of its stage that has no price', () => {
  assert.deepEqual(messages(priced(capped, ['talk'])), [
    'aif.budgetUsd: expected teachers.rival.price, without which its calls would not be counted',
    'aif.budgetUsd: expected teachers.judge.price, without which its calls would not be counted',
  ]);
  assert.deepEqual(messages(priced(capped, ['talk', 'rival', 'judge'])), []);
  assert.deepEqual(messages(taughtRecipe()), [], 'without a budget nobody needs one');
});

test('a server to fail over to needs a price of its own', () => {
  const recipe = priced(capped, ['talk', 'rival', 'judge']);
  const judge = teacherSpec.parse({
    ...recipe.teachers.judge,
    failover: [{ provider: 'openai', baseUrl: 'http://other/v1' }],
  });
  assert.deepEqual(messages({ ...recipe, teachers: { ...recipe.teachers, judge } }), [
    'aif.budgetUsd: expected teachers.judge.failover.0.price, without which its calls would not be counted',
  ]);
});

test('the budget of dialogues asks for the prices of both who speak', () => {
  const recipe = taughtRecipe();
  const data = { ...recipe.dsft.data, budgetUsd: 1 } as DsftSpec['data'];
  assert.deepEqual(messages({ ...recipe, dsft: { ...recipe.dsft, data } }), [
    'dsft.data.budgetUsd: expected teachers.talk.price, without which its calls would not be counted',
  ]);
});
