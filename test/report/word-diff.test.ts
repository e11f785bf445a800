import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Stretch, wordDiff } from '../../src/report/word-diff.ts';

const whole = (stretches: readonly Stretch[]) => stretches.map(({ text }) => text).join('');
const shared = (stretches: readonly Stretch[]) =>
  stretches
    .filter((stretch) => stretch.shared)
    .flatMap(({ text }) => text.trim().split(/\s+/))
    .filter((word) => word !== '');
const marked = (stretches: readonly Stretch[]) => stretches.filter((stretch) => !stretch.shared).map(({ text }) => text.trim());

test('words that one text has and the other has not are marked', () => {
  const { before, after, similarity } = wordDiff('the cat sat on the mat', 'the old cat sat on a mat');
  assert.deepEqual([marked(before), marked(after)], [['the'], ['old', 'a']]);
  assert.equal(similarity, 10 / 13);
});

test('no character of a text is lost, and both share the same words in the same order', () => {
  const texts = fc.array(fc.constantFrom('a', 'b', 'c', ' ', '\n', '  '), { maxLength: 40 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(texts, texts, (one, other) => {
      const { before, after, similarity } = wordDiff(one, other);
      assert.deepEqual([whole(before), whole(after)], [one, other]);
      assert.deepEqual(shared(before), shared(after));
      assert.ok(similarity >= 0 && similarity <= 1);
    }),
  );
});

test('equal texts share everything, also when they are empty', () => {
  assert.equal(wordDiff('', '').similarity, 1);
  assert.deepEqual(marked(wordDiff('one two', 'one two').before), []);
});

test('texts too long to compare word by word are told apart by their beginning and end', () => {
  const middle = (word: string) => Array.from({ length: 2500 }, (_, n) => `${word}${n}`).join(' ');
  const { before, similarity } = wordDiff(`start ${middle('x')} end`, `start ${middle('y')} end`);
  assert.deepEqual(shared(before), ['start', 'end']);
  assert.ok(similarity < 0.01);
});
