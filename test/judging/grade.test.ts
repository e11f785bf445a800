import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fillPlaces } from '../../src/judging/fill-places.ts';
import { readGrade } from '../../src/judging/grade.ts';

const SCALE = [1, 10] as const;

test('a grade is the first number in double brackets, or else in single ones', () => {
  const cases: readonly [string, number][] = [
    ['It is fine. Rating: [[7]]', 7],
    ['Rating: [[7.5]]', 7.5],
    ['Rating: [[10]].', 10],
    ['Rating: [7]', 7],
    ['As in [3] it says. Rating: [[6]]', 6],
    ['Rating: [[4]], or even [[9]]', 4],
  ];
  for (const [reply, score] of cases) assert.deepEqual(readGrade(reply, SCALE), { score }, reply);
});

test('a reply that gives no grade of the scale gives none, and says why', () => {
  const none = { score: null, why: 'no rating in the reply' };
  for (const reply of ['', 'Rating: 7', 'Rating: [[rating]]', 'Rating: [[-3]]', 'Rating: [[7/10]]', '[[ 7 ]]'])
    assert.deepEqual(readGrade(reply, SCALE), none, reply);
  const outside = { score: null, why: 'a rating outside of 1 to 10' };
  for (const reply of ['Rating: [[11]]', 'Rating: [[0]]', '[[75]]']) assert.deepEqual(readGrade(reply, SCALE), outside, reply);
});

test('a text that names a place of the prompt stays where it is', () => {
  const template = 'Q {question}\nA {answer}\nR {ref_answer_1}';
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('{question}', '{answer}', '{ref_answer_1}', '$&', '{', 'x'), { minLength: 3, maxLength: 3 }),
      (texts) => {
        const [question = '', answer = '', ref_answer_1 = ''] = texts;
        assert.equal(fillPlaces(template, { question, answer, ref_answer_1 }), `Q ${question}\nA ${answer}\nR ${ref_answer_1}`);
      },
    ),
  );
  assert.throws(() => fillPlaces(template, { question: '', answer: '' }), /\{ref_answer_1\}/);
});
