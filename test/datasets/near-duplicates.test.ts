import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hmacUniform } from '../../src/base/hmac-choice.ts';
import { NearDuplicates, similarity } from '../../src/datasets/near-duplicates.ts';

const word = (n: number) => `w${Math.floor(hmacUniform(1, 'word', String(n)) * 5000)}`;
const text = (n: number, words = 120) => Array.from({ length: words }, (_, at) => word(n * 1000 + at));
/** The text with some of its words changed. */
const changed = (n: number, changes: number) =>
  text(n).map((each, at) => (at % Math.floor(120 / changes) === 0 && at / Math.floor(120 / changes) < changes ? `x${n}` : each));

function groupsOf(texts: readonly string[], order = [...texts.keys()]): Int32Array {
  const near = new NearDuplicates(3);
  for (const each of texts) near.add(each);
  return near.groups(order, (number) => texts[number] ?? '');
}

test('nearly all pairs of similarity 0.8 and more are found, and never one below', () => {
  const texts = Array.from({ length: 400 }, (_, n) => [text(n).join(' '), changed(n, 1 + (n % 4)).join(' ')]).flat();
  const groups = groupsOf(texts);
  let similar = 0;
  let found = 0;
  for (let n = 0; n < texts.length; n += 2) {
    const together = groups[n] === groups[n + 1];
    const alike = similarity(texts[n] ?? '', texts[n + 1] ?? '') >= 0.8;
    assert.ok(alike || !together, `${n} is not alike`);
    if (alike) similar += 1;
    if (together) found += 1;
  }
  assert.ok(similar >= 200, `${similar} are similar`);
  assert.ok(found >= similar * 0.95, `${found} of ${similar} are found`);
});

test('the first of a group in the given order stands for it, whatever the order in which the texts came', () => {
  const texts = [text(1).join(' '), text(2).join(' '), changed(1, 1).join(' '), `${text(1).join(' ')} end`];
  assert.deepEqual([...groupsOf(texts, [0, 1, 2, 3])], [0, 1, 0, 0]);
  assert.deepEqual([...groupsOf(texts, [3, 2, 1, 0])], [3, 1, 3, 3]);
});

test('what is like either of two texts is in their group', () => {
  const [a, b, c] = [text(9), changed(9, 2), [...changed(9, 2).slice(0, 119), 'other', 'end']];
  assert.deepEqual([...groupsOf([a, c, b].map((words) => words.join(' ')))], [0, 0, 0]);
});

test('texts of few words are the same when their words are', () => {
  assert.deepEqual([...groupsOf(['Say hello!', 'say  HELLO', 'say goodbye', '!?', '...'])], [0, 0, 2, 3, 3]);
});
