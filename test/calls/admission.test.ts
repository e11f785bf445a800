import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Aimd } from '../../src/calls/aimd.ts';
import { Breaker } from '../../src/calls/breaker.ts';
import { GiveUpRule } from '../../src/calls/give-up-rule.ts';
import { QuantileWindow } from '../../src/calls/quantile-window.ts';
import { RateMeter } from '../../src/calls/rate-meter.ts';

const answers = (many: Aimd, count: number, now: number) => {
  for (let n = 0; n < count; n += 1) many.answered(now);
};

test('calls at once double until the server is busy for the first time, and never exceed what is allowed', () => {
  const many = new Aimd({ most: 100, start: 4 });
  answers(many, 4, 1);
  assert.equal(many.limit, 8);
  answers(many, 1000, 2);
  assert.equal(many.limit, 100);
});

test('a burst of "too many requests" takes a quarter off once; answers add one for 25, up to a tenth above where it was', () => {
  const many = new Aimd({ most: 1000, start: 100 });
  for (let n = 0; n < 30; n += 1) many.busy(5, 100, 10 + n);
  assert.equal(many.limit, 75);
  answers(many, 25, 50);
  assert.equal(many.limit, 76);
  answers(many, 100_000, 60);
  assert.equal(many.limit, 110);
  many.busy(40, 110, 70);
  assert.equal(many.limit, 82, 'sent after the first decrease, so it is a burst of its own');
});

test('where the server was busy is forgotten after a minute', () => {
  const many = new Aimd({ most: 200, start: 100 });
  many.busy(1, 100, 10);
  answers(many, 25 * 200, 70_011);
  assert.equal(many.limit, 200);
});

test('it is what was in flight that was too much, and one call at a time is always allowed', () => {
  const many = new Aimd({ most: 1000, start: 500 });
  many.busy(1, 40, 10);
  assert.equal(many.limit, 30);
  for (let n = 1; n < 40; n += 1) many.busy(10 + n, 1, 11 + n);
  assert.equal(many.limit, 1);
});

test('a server that fails so often in a row is left alone, then tried with one call', () => {
  const breaker = new Breaker(3, 100, 400);
  for (let n = 0; n < 3; n += 1) {
    assert.equal(breaker.waitMs(0), 0);
    breaker.failed(breaker.sent(), 0);
  }
  assert.equal(breaker.waitMs(0), 100);
  breaker.failed(false, 50);
  assert.equal(breaker.waitMs(50), 50, 'what was under way does not make it longer');
  assert.equal(breaker.waitMs(100), 0);
  assert.equal(breaker.sent(), true);
  assert.equal(breaker.waitMs(100), Number.POSITIVE_INFINITY);
  breaker.failed(true, 120);
  assert.equal(breaker.waitMs(120), 200);
  breaker.sent();
  breaker.failed(true, 400);
  breaker.sent();
  breaker.failed(true, 1000);
  assert.equal(breaker.waitMs(1000), 400);
  breaker.sent();
  breaker.answered();
  assert.deepEqual([breaker.waitMs(1000), breaker.openings], [0, 0]);
});

test('an answer in between keeps a server in use', () => {
  const breaker = new Breaker(3, 100, 400);
  for (let n = 0; n < 30; n += 1) {
    breaker.failed(false, n);
    if (n % 2 === 1) breaker.answered();
  }
  assert.equal(breaker.waitMs(30), 0);
});

test('half of the last 50 to 100 calls must have failed, whatever was before', () => {
  const early = new GiveUpRule();
  for (let n = 0; n < 49; n += 1) assert.equal(early.settled(true), undefined);
  assert.equal(early.settled(true), 50);
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 400 }), (outcomes) => {
      const rule = new GiveUpRule();
      for (const [at, failed] of outcomes.entries()) {
        const window = outcomes.slice(Math.max(0, at - 99), at + 1);
        const failures = window.filter((each) => each).length;
        const stops = window.length >= 50 && failures >= window.length / 2;
        assert.equal(rule.settled(failed), stops ? failures : undefined);
      }
    }),
  );
});

test('the 95th percentile of the window is that of its sorted values', () => {
  const window = new QuantileWindow(0.95, 100);
  assert.equal(window.value(), undefined);
  window.add(7);
  assert.equal(window.value(), 7);
  for (let n = 1; n <= 320; n += 1) window.add(n);
  assert.equal(window.value(), 315);
});

test('a meter sums the last minute', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 0, max: 9 })), { maxLength: 60 }),
      (steps) => {
        const meter = new RateMeter();
        const added: { at: number; amount: number }[] = [];
        let now = 0;
        for (const [ms, amount] of steps) {
          now += ms;
          meter.add(amount, now);
          added.push({ at: Math.floor(now / 1000), amount });
          const expected = added.filter(({ at }) => at > Math.floor(now / 1000) - 60).reduce((sum, each) => sum + each.amount, 0);
          assert.equal(meter.sum(now), expected);
        }
      },
    ),
  );
});
