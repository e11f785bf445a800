import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Stretch, type WordDiff, wordDiff } from '../../src/report/word-diff.ts';

function compared(before: string, after: string): WordDiff {
  const diff = wordDiff(before, after);
  assert.ok(diff !== undefined);
  return diff;
}

const whole = (stretches: readonly Stretch[]) => stretches.map(({ text }) => text).join('');
const shared = (stretches: readonly Stretch[]) =>
  stretches
    .filter((stretch) => stretch.shared)
    .flatMap(({ text }) => text.trim().split(/\s+/))
    .filter((word) => word !== '');
const marked = (stretches: readonly Stretch[]) => stretches.filter((stretch) => !stretch.shared).map(({ text }) => text.trim());

test('words that one text has and the other has not are marked', () => {
  const { before, after, similarity } = compared('the cat sat on the mat', 'the old cat sat on a mat');
  assert.deepEqual([marked(before), marked(after)], [['the'], ['old', 'a']]);
  assert.equal(similarity, 10 / 13);
});

test('no character of a text is lost, and both share the same words in the same order', () => {
  const texts = fc.array(fc.constantFrom('a', 'b', 'c', ' ', '\n', '  '), { maxLength: 40 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(texts, texts, (one, other) => {
      const { before, after, similarity } = compared(one, other);
      assert.deepEqual([whole(before), whole(after)], [one, other]);
      assert.deepEqual(shared(before), shared(after));
      assert.ok(similarity >= 0 && similarity <= 1);
    }),
  );
});

test('equal texts share everything, also when they are empty', () => {
  assert.equal(compared('', '').similarity, 1);
  assert.deepEqual(marked(compared('one two', 'one two').before), []);
});

test('texts that are long and have nothing in common are not compared', () => {
  const words = (word: string) => Array.from({ length: 2500 }, (_, n) => `${word}${n}`).join(' ');
  assert.equal(wordDiff(words('x'), words('y')), undefined);
  assert.equal(compared(`${words('x')} one`, `${words('x')} two`).similarity, 5000 / 5002);
});
