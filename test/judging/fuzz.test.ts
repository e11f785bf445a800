import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { comparisonFormat } from '../../src/judging/comparison.ts';
import { expectedFormat } from '../../src/judging/expected.ts';
import { jointFormat } from '../../src/judging/joint.ts';
import { ratingsFormat } from '../../src/judging/ratings.ts';
import type { ResponseFormat, SlotValue } from '../../src/judging/response-format.ts';
import { entry, LABELS, replied } from './replies.ts';

/** 10,000 damaged replies in all. */
const RUNS = 2000;
const SEED = 20260311;
const ASPECTS = ['honesty', 'helpfulness'];
const four = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 4, maxLength: 4 });

/** One thing wrong in a text: a piece replaced, doubled, moved or left out. */
const damage = fc.record({
  kind: fc.constantFrom('replace', 'double', 'move', 'cut', 'none'),
  at: fc.nat(),
  length: fc.nat({ max: 60 }),
  to: fc.nat(),
  noise: fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.constantFrom(
      '"',
      '{',
      '}',
      ']',
      ',',
      '\\',
      '"label":"A",',
      '{"label":"A","rationale":"","rating":5},',
      'null',
      '\n\n',
      'Z',
      'tie',
    ),
  ),
});
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function damaged(text: string, { kind, at, length, to, noise }: Damage): string {
  const from = at % text.length;
  const piece = text.slice(from, from + length);
  const rest = text.slice(0, from) + text.slice(from + length);
  if (kind === 'none') return text;
  if (kind === 'double') return text.slice(0, from) + piece + text.slice(from);
  if (kind === 'cut') return text.slice(0, from);
  if (kind === 'replace') return text.slice(0, from) + noise + text.slice(from + length);
  return rest.slice(0, to % (rest.length + 1)) + piece + rest.slice(to % (rest.length + 1));
}

/**
 * What the damaged text itself says of a label, read by another way than the product's. A move can turn one honest reply
 * into another: then the other one is the truth.
 */
function toldBy(text: string): Map<string, unknown> | undefined {
  const told = new Map<string, unknown>();
  for (const item of (JSON.parse(text) as { ratings: Record<string, unknown>[] }).ratings) {
    if (told.has(String(item.label))) return undefined;
    told.set(String(item.label), item.rating ?? item.ratings);
  }
  return told;
}

function check(format: ResponseFormat, text: string, expected: (position: number, aspect: string) => unknown): void {
  const reading = format.read(replied(text));
  if (!reading.ok) return;
  assert.equal(reading.found.length, format.slots.length);
  for (const [index, { position, aspect }] of format.slots.entries()) {
    const { value, na }: SlotValue = reading.found[index] ?? assert.fail();
    assert.equal(na ? 'N/A' : value, expected(position, aspect), text);
    assert.ok(na || (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 5));
  }
}

const OPTIONS = { numRuns: RUNS, seed: SEED };

test('of 2,000 damaged replies with ratings none gives an invented or a misaligned one', () => {
  let read = 0;
  const format = ratingsFormat('helpfulness', 4);
  fc.assert(
    fc.property(four, damage, (truth, wrong) => {
      const text = damaged(JSON.stringify({ ratings: LABELS.map((label, n) => entry(label, truth[n])) }), wrong);
      read += format.read(replied(text)).ok ? 1 : 0;
      check(format, text, (position) => toldBy(text)?.get(LABELS[position] ?? ''));
    }),
    OPTIONS,
  );
  assert.ok(read > RUNS / 10 && read < RUNS * 0.9, `${read} could be read`);
});

test('of 2,000 damaged joint replies none gives an invented or a misaligned rating', () => {
  const format = jointFormat(ASPECTS, 4);
  fc.assert(
    fc.property(four, four, damage, (honest, helpful, wrong) => {
      const list = LABELS.map((label, n) => ({
        label,
        rationale: 'r',
        ratings: { honesty: honest[n] === 3 ? 'N/A' : honest[n], helpfulness: helpful[n] },
      }));
      const text = damaged(JSON.stringify({ ratings: list }), wrong);
      check(format, text, (position, aspect) => {
        const told = toldBy(text)?.get(LABELS[position] ?? '') as Record<string, unknown> | undefined;
        return told?.[aspect];
      });
    }),
    OPTIONS,
  );
});

test('of 2,000 damaged comparisons none names a winner that the reply does not', () => {
  const format = comparisonFormat();
  fc.assert(
    fc.property(fc.constantFrom('A', 'B', 'tie'), damage, (better, wrong) => {
      const text = damaged(JSON.stringify({ rationale: 'A is longer, B is "right"', better }), wrong);
      const reading = format.read(replied(text));
      if (!reading.ok) return;
      const told = (JSON.parse(text) as { better: string }).better;
      const worth = { A: [1, 0], B: [0, 1], tie: [0.5, 0.5] }[told];
      assert.deepEqual(
        reading.found.map(({ value }) => value),
        worth,
        text,
      );
      // Only damage that writes a verdict of its own can change one.
      if (!/A|B|tie/.test(wrong.noise) && wrong.kind === 'replace') assert.equal(told, better, text);
    }),
    OPTIONS,
  );
});

test('of 2,000 strange first tokens none gives a rating outside of the scale or of the digits there', () => {
  const format = expectedFormat('helpfulness', 0.4);
  const token = fc.oneof(
    fc.constantFrom('1', '2', '3', '4', '5', ' 4', '5\n', '0', '6', '45', '٣', 'IV', 'four', '', '4.', '-4'),
    fc.string({ maxLength: 3 }),
  );
  const logprob = fc.oneof(
    fc.double({ min: -12, max: 0, noNaN: true }),
    fc.constantFrom(-9999, 0.5, Number.NaN, Number.NEGATIVE_INFINITY),
  );
  fc.assert(
    fc.property(fc.array(fc.record({ token, logprob }), { maxLength: 20 }), token, (alternatives, text) => {
      const reading = format.read({ ...replied(text), alternatives });
      if (!reading.ok) return;
      const digits = alternatives.flatMap(({ token: each, logprob: log }) =>
        /^\s*[1-5]\s*$/.test(each) && log > -700 ? [Number(each)] : [],
      );
      const { value, rating, mass } = reading.found[0] ?? assert.fail();
      assert.ok(
        value !== null && value >= Math.min(...digits) - 1e-9 && value <= Math.max(...digits) + 1e-9,
        JSON.stringify(alternatives),
      );
      assert.ok(mass !== null && mass >= 0.4 && mass < 1.01);
      assert.equal(rating, Number.parseInt(text, 10));
    }),
    OPTIONS,
  );
});

test('of 2,000 replies of any text at all none is read but those that are whole', () => {
  const forms = [
    ratingsFormat('helpfulness', 2),
    ratingsFormat('overall', 1),
    jointFormat(ASPECTS, 2),
    comparisonFormat(),
    expectedFormat('honesty', 0.5),
  ];
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), fc.string({ unit: 'binary' })), (text) => {
      for (const format of forms) assert.equal(format.read(replied(text)).ok, false);
    }),
    OPTIONS,
  );
});
