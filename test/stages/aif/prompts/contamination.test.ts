import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { wordsOf } from '../../../../src/datasets/words.ts';
import { Contamination } from '../../../../src/stages/aif/prompts/contamination.ts';

const words = (min: number, max: number) =>
  fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: min, maxLength: max }).map((list) => list.join(' '));

test('a prompt is hit exactly when it holds n words in a row of an item, a whole shorter item, or is the item', () => {
  fc.assert(
    fc.property(words(0, 30), words(1, 20), fc.constantFrom(8, 13), (prompt, item, n) => {
      const found = new Contamination(n);
      found.add('b', 1, item);
      const [asked, parts] = [` ${prompt} `, item.split(' ')];
      const grams =
        parts.length < n ? (parts.length < 5 ? [] : [parts]) : parts.slice(n - 1).map((_, at) => parts.slice(at, at + n));
      const expected = prompt === item || grams.some((gram) => asked.includes(` ${gram.join(' ')} `));
      const [hit] = found.find(prompt);
      assert.equal(hit !== undefined, expected);
      if (hit !== undefined) assert.ok(asked.includes(` ${hit.ngram} `) && ` ${item} `.includes(` ${hit.ngram} `));
    }),
    { numRuns: 2000 },
  );
});

test('every benchmark is named once, with its own row', () => {
  const found = new Contamination(8);
  found.add('one', 3, 'the quick brown fox jumps over the lazy dog');
  found.add('two', 7, 'quick brown fox jumps over the lazy dog today');
  assert.deepEqual(found.find('See: The quick, brown fox jumps over the lazy dog today.'), [
    { benchmark: 'one', row: 3, ngram: 'the quick brown fox jumps over the lazy' },
    { benchmark: 'two', row: 7, ngram: 'quick brown fox jumps over the lazy dog' },
  ]);
});

test('case, punctuation and full-width letters do not hide an item; signs of scripts without spaces are words', () => {
  assert.deepEqual(wordsOf('Ｈｅｌｌｏ, WORLD! 2nd naïve हिन्दी'), ['hello', 'world', '2nd', 'naïve', 'हिन्दी']);
  assert.deepEqual(wordsOf('abc漢字です'), ['abc', '漢', '字', 'で', 'す']);
});
