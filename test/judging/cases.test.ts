import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ratingsFormat } from '../../src/judging/ratings.ts';
import { readReply } from '../../src/teachers/reply.ts';
import { entry, replied, valuesOf } from './replies.ts';

const format = ratingsFormat('helpfulness', 2);
const text = JSON.stringify({ ratings: [entry('A', 4), entry('B', 2)] });

for (const name of ['fenced-judgement', 'finish-reason-end'])
  test(`each reply of the case ${name} is read`, async () => {
    const bodies = JSON.parse(
      await readFile(join(import.meta.dirname, '../fixtures/cases', `${name}.json`), 'utf8'),
    ) as unknown[];
    assert.ok(bodies.length > 0);
    for (const body of bodies) assert.deepEqual(valuesOf(format, readReply(body, undefined)), [4, 2]);
  });

test('a whole judgement is read unless the server says that it was cut off, broken or refused', () => {
  for (const finish of ['stop', 'EOS', 'unknown', 'tool_calls', 'other'])
    assert.deepEqual(valuesOf(format, replied(text, finish)), [4, 2]);
  for (const finish of ['length', 'MAX_TOKENS', 'abort'])
    assert.equal(valuesOf(format, replied(text, finish)), `the reply ended with "${finish}"`);
  for (const finish of ['content_filter', 'SAFETY']) assert.equal(valuesOf(format, replied(text, finish)), 'the judge refuses');
});

test('a member twice is found in a fence too', () => {
  const twice = '{"ratings":[{"label":"A","rationale":"r","rating":4,"rating":2},{"label":"B","rationale":"r","rating":2}]}';
  assert.equal(valuesOf(format, replied(`\`\`\`json\n${twice}\n\`\`\``)), 'a member twice');
});
