import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { Budget } from '../../src/calls/budget.ts';
import { Trust } from '../../src/calls/trust.ts';

const call = fc.record({
  estimate: fc.double({ min: 0, max: 1, noNaN: true }),
  factor: fc.double({ min: 0, max: 3, noNaN: true }),
  turns: fc.integer({ min: 0, max: 4 }),
});

test('what is spent exceeds the cap by no more than the calls in flight cost above their estimate', () =>
  fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 60 }), fc.double({ min: 0, max: 8, noNaN: true }), async (calls, capUsd) => {
      const totals = { done: 0, costUsd: 0, unknownUsd: 0, lostUsd: 0 };
      const budget = new Budget({ capUsd, totals, left: () => undefined });
      let above = 0;
      let stopped = 0;
      await Promise.all(
        calls.map(async ({ estimate, factor, turns }) => {
          const claim = await budget
            .claim(() => estimate)
            .catch((error: unknown) => {
              assert.match(String(error), /Stopped at the budget/);
              stopped += 1;
            });
          if (claim === undefined) return;
          await turn();
          totals.unknownUsd += estimate;
          claim.logged();
          for (let n = 0; n < turns; n += 1) await turn();
          claim.costs(estimate * factor);
          await turn();
          totals.unknownUsd -= estimate;
          totals.costUsd += estimate * factor;
          totals.done += 1;
          above += Math.max(0, estimate * (factor - 1));
          claim.settled();
        }),
      );
      assert.ok(totals.costUsd <= capUsd + above + 1e-6, `${totals.costUsd} of ${capUsd}, ${above} above the estimates`);
      assert.equal(totals.done + stopped, calls.length, 'every call was sent or refused');
    }),
    { numRuns: 200 },
  ));

test('a call that does not fit waits for those on their way, which may cost less than was thought', async () => {
  const totals = { done: 0, costUsd: 0, unknownUsd: 0, lostUsd: 0 };
  const budget = new Budget({ capUsd: 1, totals, left: () => undefined });
  const first = await budget.claim(() => 0.8);
  const second = budget.claim(() => 0.8);
  totals.costUsd = 0.1;
  first.settled();
  (await second).settled();
});

test('what may have been billed in a crash counts', async () => {
  const totals = { done: 0, costUsd: 0, unknownUsd: 0.3, lostUsd: 0.3 };
  const budget = new Budget({ capUsd: 1, totals, left: () => 12 });
  (await budget.claim(() => 0.4)).settled();
  await assert.rejects(
    budget.claim(() => 0.41),
    {
      exit: 'preflight',
      message: 'Stopped at the budget: spent $0.60, of which $0.60 perhaps, of $1.00; about 12 calls for $4.92 are left',
      hint: /raise budgetUsd/,
    },
  );
});

test('without a cap nothing is refused', async () => {
  const budget = new Budget({ capUsd: undefined, totals: { done: 0, costUsd: 9, unknownUsd: 0, lostUsd: 0 }, left: () => 1 });
  (await budget.claim(() => 1e9)).settled();
});

test('while nobody knows what a server bills, calls go out one, two, four at a time, and hold up no others', async () => {
  const totals = { done: 0, costUsd: 0, unknownUsd: 0, lostUsd: 0 };
  const budget = new Budget({ capUsd: 100, totals, left: () => undefined });
  const trust = new Trust(1, 8);
  const sent: (() => void)[] = [];
  const all = Array.from({ length: 40 }, () => budget.claim(() => 1, trust).then(({ settled }) => sent.push(settled)));
  const rounds: number[] = [];
  while (rounds.reduce((sum, round) => sum + round, 0) < all.length) {
    await turn();
    (await budget.claim(() => 1)).settled();
    const home = sent.splice(0);
    rounds.push(home.length);
    for (const settled of home) {
      trust.billed();
      settled();
    }
  }
  assert.deepEqual(rounds, [1, 1, 2, 4, 32]);
});

test("what is set aside is asked for when it is the call's turn", async () => {
  const totals = { done: 0, costUsd: 0, unknownUsd: 0, lostUsd: 0 };
  const budget = new Budget({ capUsd: 1, totals, left: () => undefined });
  let most = 0.6;
  const first = await budget.claim(() => most);
  const second = budget.claim(() => most);
  most = 0.7;
  totals.costUsd = 0.35;
  first.settled();
  await assert.rejects(second, { hint: /the next call may cost \$0\.70/ });
});
