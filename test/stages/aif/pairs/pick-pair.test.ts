import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { drawMembers } from '../../../../src/stages/aif/answers/draw.ts';
import { type Candidate, type PairRule, pickPair } from '../../../../src/stages/aif/pairs/pick-pair.ts';

const RULE: PairRule = { seed: 1, rejected: 'random_lower', margin_band: null, ties: 'drop', min_margin: 0, min_chosen: null };
const answers = (...scores: number[]): Candidate[] => scores.map((score, n) => ({ id: `a${n}`, text: `text ${n}`, score }));
const pick = (candidates: Candidate[], rule: Partial<PairRule> = {}, prompt = 'p') => {
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

test('T5: with a tie at the top, no equal answer loses, and seed and prompt decide which wins', () => {
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

test('a pair never depends on the order in which answers arrived', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 6 }),
      fc.nat(),
      fc.string(),
      (scores, turn, prompt) => {
        const candidates = answers(...scores);
        const at = turn % candidates.length;
        const turned = [...candidates.slice(at), ...candidates.slice(0, at)];
        assert.deepEqual(pick(turned, {}, prompt), pick(candidates, {}, prompt));
        assert.deepEqual(pick(candidates.toReversed(), {}, prompt), pick(candidates, {}, prompt));
      },
    ),
  );
});

test('B8: which models answer depends on seed and prompt alone, each drawn by its weight', () => {
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
