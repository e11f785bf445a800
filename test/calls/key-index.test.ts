import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../../src/base/sha256.ts';
import { type Entry, KeyIndex } from '../../src/calls/key-index.ts';

const word = fc.integer({ min: 0, max: 0xffffffff });
const count = fc.oneof(fc.integer({ min: 0, max: 3 }), word);
const entry: fc.Arbitrary<Entry> = fc.record(
  {
    state: fc.constantFrom('sent', 'rejected', 'done'),
    own: fc.boolean(),
    attempt: count,
    segment: count,
    offset: fc.integer({ min: 0, max: 2 ** 40 }),
    length: count,
    sentAt: fc.double({ noNaN: true }),
    usd: fc.option(fc.double({ noNaN: true })),
    promptTokens: count,
    completionTokens: count,
    batch: count,
  },
  { noNullPrototype: true },
);
/** Few different keys, many of them alike in all but one word, and some that hash alike. */
const key = fc
  .tuple(fc.constantFrom(0, 1, 0xffffffff), fc.nat(3), fc.oneof(fc.nat(3), word), fc.nat(3))
  .map((words) => words.map((part) => part.toString(16).padStart(8, '0')).join('') + 'f'.repeat(32));

test('the packed index holds what a plain map holds, however it has grown', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, entry), { maxLength: 200 }), fc.array(key), (writes, others) => {
      const index = new KeyIndex(2);
      const model = new Map<string, Entry>();
      for (const [name, value] of writes) {
        index.set(name, value);
        model.set(name, value);
        assert.equal(index.size, model.size);
      }
      for (const name of [...model.keys(), ...others]) assert.deepEqual(index.get(name), model.get(name));
    }),
  );
});

test('of forty thousand calls none is forgotten, in pages of their usual size', () => {
  const index = new KeyIndex();
  const keyOf = (n: number) => sha256(String(n));
  const value = fc.sample(entry, 1)[0] as Entry;
  for (let n = 0; n < 40_000; n += 1) index.set(keyOf(n), { ...value, attempt: n });
  assert.equal(index.size, 40_000);
  for (let n = 0; n < 40_000; n += 1) assert.equal(index.get(keyOf(n))?.attempt, n);
});

test('a key is marked once, however often it is written, and only where it is known', () => {
  const index = new KeyIndex(2);
  const value = fc.sample(entry, 1)[0] as Entry;
  for (const isFirst of [true, false])
    for (let n = 0; n < 50; n += 1) {
      assert.equal(index.mark(sha256(`unknown ${n}`)), false);
      index.set(sha256(String(n)), value);
      assert.equal(index.mark(sha256(String(n))), isFirst);
      assert.deepEqual(index.get(sha256(String(n))), value);
    }
});

test('keys that agree in their first 16 bytes share an entry', () => {
  const index = new KeyIndex();
  const value = fc.sample(entry, 1)[0] as Entry;
  index.set('a'.repeat(64), value);
  assert.deepEqual(index.get('a'.repeat(32) + 'b'.repeat(32)), value);
  assert.equal(index.get(`${'a'.repeat(31)}b${'a'.repeat(32)}`), undefined);
});
