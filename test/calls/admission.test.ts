import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { aimd } from '../../src/calls/aimd.ts';
import { breaker } from '../../src/calls/breaker.ts';
import { giveUpRule } from '../../src/calls/give-up-rule.ts';
import { keySet } from '../../src/calls/key-set.ts';
import { quantileWindow } from '../../src/calls/quantile-window.ts';
import { rateMeter } from '../../src/calls/rate-meter.ts';

const answers = (many: ReturnType<typeof aimd>, count: number, now: number) => {
  for (let n = 0; n < count; n += 1) many.answered(now);
};

test('calls at once double until the server is busy for the first time, and never exceed what is allowed', () => {
  const many = aimd({ most: 100, start: 4 });
  answers(many, 4, 1);
  assert.equal(many.limit, 8);
  answers(many, 1000, 2);
  assert.equal(many.limit, 100);
});

test('a burst of "too many requests" takes a quarter off once; answers add one for 25, up to a tenth above where it was', () => {
  const many = aimd({ most: 1000, start: 100 });
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
  const many = aimd({ most: 200, start: 100 });
  many.busy(1, 100, 10);
  answers(many, 25 * 200, 70_011);
  assert.equal(many.limit, 200);
});

test('it is what was in flight that was too much, and one call at a time is always allowed', () => {
  const many = aimd({ most: 1000, start: 500 });
  many.busy(1, 40, 10);
  assert.equal(many.limit, 30);
  for (let n = 1; n < 40; n += 1) many.busy(10 + n, 1, 11 + n);
  assert.equal(many.limit, 1);
});

test('a server that fails so often in a row is left alone, then tried with one call', () => {
  const fuse = breaker(3, 100, 400);
  for (let n = 0; n < 3; n += 1) {
    assert.equal(fuse.waitMs(0), 0);
    fuse.failed(fuse.sent(), 0);
  }
  assert.equal(fuse.waitMs(0), 100);
  fuse.failed(false, 50);
  assert.equal(fuse.waitMs(50), 50, 'what was under way does not make it longer');
  assert.equal(fuse.waitMs(100), 0);
  assert.equal(fuse.sent(), true);
  assert.equal(fuse.waitMs(100), Number.POSITIVE_INFINITY);
  fuse.failed(true, 120);
  assert.equal(fuse.waitMs(120), 200);
  fuse.sent();
  fuse.failed(true, 400);
  fuse.sent();
  fuse.failed(true, 1000);
  assert.equal(fuse.waitMs(1000), 400);
  fuse.sent();
  fuse.answered();
  assert.deepEqual([fuse.waitMs(1000), fuse.openings], [0, 0]);
});

test('an answer in between keeps a server in use', () => {
  const fuse = breaker(3, 100, 400);
  for (let n = 0; n < 30; n += 1) {
    fuse.failed(false, n);
    if (n % 2 === 1) fuse.answered();
  }
  assert.equal(fuse.waitMs(30), 0);
});

test('half of the last 50 to 100 calls must have failed, whatever was before', () => {
  const early = giveUpRule();
  for (let n = 0; n < 49; n += 1) assert.equal(early.settled(true), undefined);
  assert.equal(early.settled(true), 50);
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 400 }), (outcomes) => {
      const rule = giveUpRule();
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
  const window = quantileWindow(0.95, 100);
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
        const meter = rateMeter();
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

test('a set of keys knows each key that was added, and no other', () => {
  const key = (n: number) => n.toString(16).padStart(16, '0').padEnd(64, 'f');
  const set = keySet(2);
  for (const isNew of [true, false]) for (let n = 0; n < 3000; n += 1) assert.equal(set.add(key(n * 2 ** 31)), isNew, `key ${n}`);
});
