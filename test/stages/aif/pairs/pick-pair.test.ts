import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { drawMembers } from '../../../../src/stages/aif/answers/assignments.ts';
import { type PairCandidate, type PairRule, pickPair, REJECTED } from '../../../../src/stages/aif/pairs/pick-pair.ts';

const RULE: PairRule = { seed: 1, rejected: 'random_lower', margin_band: null, ties: 'drop', min_margin: 0, min_chosen: null };
const answers = (...scores: number[]): PairCandidate[] => scores.map((score, n) => ({ id: `a${n}`, text: `text ${n}`, score }));
const pick = (candidates: PairCandidate[], rule: Partial<PairRule> = {}, prompt = 'p'): string | string[] => {
  const picked = pickPair(candidates, { ...RULE, ...rule }, prompt);
  return picked.ok ? [picked.chosen.id, picked.rejected.id] : picked.reason;
};
const many = Array.from({ length: 400 }, (_, n) => `prompt ${n}`);

test('the best answer wins against one that scores lower, drawn evenly', () => {
  const rejected = Map.groupBy(many, (prompt) => pick(answers(3, 5, 1, 2), {}, prompt)[1] as string);
  assert.deepEqual([...rejected.keys()].sort(), ['a0', 'a2', 'a3']);
  for (const [, prompts] of rejected) assert.ok(prompts.length > 90 && prompts.length < 180);
  assert.ok(many.every((prompt) => pick(answers(3, 5, 1, 2), {}, prompt)[0] === 'a1'));
});

test('the lowest answer loses where the rule says so', () => {
  assert.ok(many.every((prompt) => pick(answers(3, 5, 1, 2), { rejected: 'lowest' }, prompt)[1] === 'a2'));
});

test('with a tie at the top, no equal answer loses, and seed and prompt decide which wins', () => {
  const chosen = new Set(many.map((prompt) => pick(answers(5, 5, 2, 5), {}, prompt)[0]));
  assert.deepEqual([...chosen].sort(), ['a0', 'a1', 'a3']);
  assert.ok(many.every((prompt) => pick(answers(5, 5, 2, 5), {}, prompt)[1] === 'a2'));
  assert.equal(pick(answers(4, 4, 4)), 'no answer scores lower');
});

test('any other answer may lose under random_other, ties by choice', () => {
  const kept = new Set(many.map((prompt) => pick(answers(5, 5), { rejected: 'random_other', ties: 'keep' }, prompt)[1]));
  assert.deepEqual([...kept].sort(), ['a0', 'a1']);
  assert.equal(pick(answers(5, 5), { rejected: 'random_other' }), 'tie');
});

test('every reason to drop a prompt has its name', () => {
  assert.equal(pick(answers(5)), 'fewer than two rated answers');
  assert.equal(pick([]), 'fewer than two rated answers');
  assert.equal(pick(answers(2, 1), { min_chosen: 3 }), 'chosen scores too low');
  assert.equal(pick(answers(3, 2.9), { min_margin: 0.5 }), 'margin too thin');
  const same = answers(5, 1).map((answer, n) => ({ ...answer, text: n === 0 ? 'same  text' : 'same text\n' }));
  assert.equal(pick(same), 'no answer differs in text');
});

test('within a margin band a loser is neither too near nor too far', () => {
  const band = { rejected: 'margin_band', margin_band: { min: 1, max: 2 } } as const;
  const losers = new Set(many.map((prompt) => pick(answers(5, 4.5, 4, 3, 1), band, prompt)[1]));
  assert.deepEqual([...losers].sort(), ['a2', 'a3']);
  assert.equal(pick(answers(5, 4.5, 1), band), 'no answer within the margin band');
});

test('a tie within the band is dropped or kept as the rule says', () => {
  const band = { rejected: 'margin_band', margin_band: { min: 0, max: 0 } } as const;
  assert.equal(pick(answers(5, 5), band), 'tie');
  assert.ok(Array.isArray(pick(answers(5, 5), { ...band, ties: 'keep' })));
});

test('margins that are the same but for the last digit are treated alike', () => {
  assert.ok(Array.isArray(pick(answers(0.1 + 0.2, 0.1), { min_margin: 0.2 })));
  assert.ok(Array.isArray(pick(answers(0.3, 0.1), { min_margin: 0.2 })));
});

test('both ends of a margin band belong to it, whatever the last digit of a difference', () => {
  const band = { rejected: 'margin_band', margin_band: { min: 0.2, max: 0.2 } } as const;
  assert.notEqual(0.1 + 0.2 - 0.1, 0.2);
  assert.notEqual(0.3 - 0.1, 0.2);
  for (const best of [0.1 + 0.2, 0.3]) assert.deepEqual(pick(answers(best, 0.1), band), ['a0', 'a1']);
  assert.equal(pick(answers(0.31, 0.1), band), 'no answer within the margin band');
  assert.equal(pick(answers(0.29, 0.1), band), 'no answer within the margin band');
});

const anyRule = fc.record({
  rejected: fc.constantFrom(...REJECTED),
  margin_band: fc.constantFrom({ min: 0, max: 1 }, { min: 0.5, max: 2 }, { min: 1, max: 1 }),
  ties: fc.constantFrom('keep', 'drop'),
  min_margin: fc.constantFrom(0, 0.5, 1),
  min_chosen: fc.constantFrom(null, 2, 3.5),
});
const anyAnswers = fc.array(fc.tuple(fc.integer({ min: 2, max: 10 }), fc.constantFrom('one', ' one ', 'two', 'three', 'four')), {
  maxLength: 6,
});
const asCandidates = (given: readonly (readonly [number, string])[]): PairCandidate[] =>
  given.map(([double, text], n) => ({ id: `a${n}`, text, score: double / 2 }));

test('a pair never depends on the order in which answers arrived', () => {
  fc.assert(
    fc.property(anyAnswers, anyRule, fc.nat(), fc.string(), (given, rule, turn, prompt) => {
      const candidates = asCandidates(given);
      const at = turn % Math.max(1, candidates.length);
      const turned = [...candidates.slice(at), ...candidates.slice(0, at)];
      assert.deepEqual(pick(turned, rule, prompt), pick(candidates, rule, prompt));
      assert.deepEqual(pick(candidates.toReversed(), rule, prompt), pick(candidates, rule, prompt));
    }),
  );
});

test('no pair violates its rule', () => {
  fc.assert(
    fc.property(anyAnswers, anyRule, fc.string(), (given, rule, prompt) => {
      const candidates = asCandidates(given);
      const best = Math.max(...candidates.map(({ score }) => score));
      const words = (text: string) => text.trim();
      const fits = (chosen: PairCandidate, rejected: PairCandidate) => {
        const margin = chosen.score - rejected.score;
        const lower = candidates.filter(({ score, text }) => score < best && words(text) !== words(chosen.text));
        return (
          chosen.score === best &&
          words(chosen.text) !== words(rejected.text) &&
          chosen.score >= (rule.min_chosen ?? 0) &&
          margin >= rule.min_margin &&
          (rule.ties === 'keep' || margin > 0) &&
          (rule.rejected === 'random_other' ||
            (rule.rejected === 'margin_band'
              ? margin >= rule.margin_band.min && margin <= rule.margin_band.max
              : margin > 0 && (rule.rejected === 'random_lower' || lower.every(({ score }) => score >= rejected.score))))
        );
      };
      const picked = pickPair(candidates, { ...RULE, ...rule }, prompt);
      if (picked.ok) assert.ok(fits(picked.chosen, picked.rejected), JSON.stringify(picked));
      else if (picked.reason === 'fewer than two rated answers') assert.ok(candidates.length < 2);
      else if (picked.reason === 'chosen scores too low') assert.ok(best < (rule.min_chosen ?? 0));
    }),
  );
});

test('which models answer depends on seed and prompt alone, each drawn by its weight', () => {
  const pool = [
    { id: 'a', weight: 1 },
    { id: 'b', weight: 1 },
    { id: 'c', weight: 6 },
    { id: 'd', weight: 1 },
  ];
  const draws = many.map((prompt) => drawMembers(pool, 2, 9, prompt).map(({ id }) => id));
  assert.deepEqual(
    draws,
    many.map((prompt) =>
      drawMembers(pool.toReversed(), 2, 9, prompt)
        .map(({ id }) => id)
        .reverse(),
    ),
  );
  assert.ok(draws.every((ids) => new Set(ids).size === 2));
  const share = (id: string) => draws.filter((ids) => ids.includes(id)).length / draws.length;
  assert.ok(share('c') > 0.85 && share('a') > 0.25 && share('a') < 0.5, `${share('c')} ${share('a')}`);
});
