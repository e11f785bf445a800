import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRecipe } from '../../src/recipe/check.ts';
import { stages } from '../rig/stages.ts';
import { minimalRecipe } from './minimal.ts';

const mistakes = (teacher: object) =>
  checkRecipe(
    minimalRecipe((data) => {
      data.teachers = { judge: { model: 'm', batch: {}, ...teacher } };
    }),
    stages,
  ).map(({ message }) => message);

test('only servers that take files are sent batches', () => {
  assert.deepEqual(mistakes({ provider: 'openai' }), []);
  assert.deepEqual(mistakes({ provider: 'practice' }), []);
  assert.deepEqual(mistakes({ provider: 'huggingface' }), [
    'teachers.judge.batch: expected provider openai or practice, got huggingface',
  ]);
  assert.match(mistakes({ provider: 'self-hosted', baseUrl: 'http://host/v1' })[0] ?? '', /got self-hosted$/);
  assert.match(mistakes({ provider: 'practice', via: 'huggingface' })[0] ?? '', /got practice via huggingface$/);
});

test('a batch does not go on at another server', () => {
  const failover = [{ provider: 'openai', baseUrl: 'http://host/v1' }];
  assert.match(mistakes({ provider: 'openai', failover })[0] ?? '', /^teachers\.judge\.batch: expected no failover list/);
  assert.deepEqual(mistakes({ provider: 'openai', failover, batch: undefined }), []);
});
