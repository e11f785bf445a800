import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { watchUnlike } from '../../../../src/stages/dsft/dialogues/near-duplicates.ts';
import type { Opening } from '../../../../src/stages/dsft/dialogues/settings.ts';

const opening = (text: string): Opening => ({ kind: 'world', subject: 'tea', text });
const texts = fc.array(
  fc.array(fc.constantFrom('tea', 'pot', 'leaf', 'cup'), { minLength: 1, maxLength: 12 }).map((words) => words.join(' ')),
  { maxLength: 30 },
);

test('openings that come later change nothing of how the ones before are compared', () => {
  fc.assert(
    fc.property(texts, texts, texts, (first, more, most) => {
      const unlikeOnes = watchUnlike(7);
      for (const list of [first, [...first, ...more], [...first, ...more, ...most]]) {
        const openings = list.map(opening);
        assert.deepEqual(unlikeOnes(openings), watchUnlike(7)(openings));
      }
    }),
  );
});

test('of almost equal openings one is left, whichever came first', () => {
  const same = 'Why does the river at the old mill flow so slowly in the summer of a dry year when it rains in May';
  const openings = [same, `${same}?`, `${same} please`, 'What is tea?'].map(opening);
  const { unlike, alike } = watchUnlike(1)(openings);
  assert.equal(alike, 2);
  const turned = watchUnlike(1)(openings.toReversed());
  assert.deepEqual(new Set(turned.unlike.map(({ text }) => text)), new Set(unlike.map(({ text }) => text)));
});

test('instructions for one long text are compared without it, and never with those for another text', () => {
  const quoted = (about: string, instruction: string): Opening => {
    const long = Array.from({ length: 300 }, (_, n) => `${about}${n}`).join(' ');
    return { kind: 'material', subject: about, text: `${instruction}\n\n${long}`, instruction };
  };
  const asked = ['Sum it up in one sentence.', 'Who is it written for, and why?', 'Make a list of its claims.'];
  const openings = [...asked.map((each) => quoted('mill', each)), ...asked.map((each) => quoted('pond', each))];
  assert.deepEqual(watchUnlike(1)(openings), { unlike: openings, alike: 0 });
  assert.equal(watchUnlike(1)([...openings, quoted('pond', 'Make a list of its claims!')]).alike, 1);
});
