import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TokenBucket } from '../../src/calls/token-bucket.ts';
import { type Provider, simulate } from '../rig/simulated-provider.ts';

const one = () => 1;
const requests = (perMinute: number, more: Partial<Provider> = {}): Provider => ({
  perMinute,
  burstSeconds: 60,
  latencyMs: 500,
  estimate: one,
  used: one,
  charged: one,
  sendsHeaders: true,
  ...more,
});
const anyRequests = fc.record({
  perMinute: fc.constantFrom(60, 500, 3000),
  burstSeconds: fc.constantFrom(2, 10, 60),
  latencyMs: fc.constantFrom(50, 1000, 6000),
});
/** Calls of 300 to 900 tokens, estimated at 40 % more than they use on average; the provider charges by a measure of its own. */
const anyTokens = fc
  .record({
    perMinute: fc.constantFrom(90_000, 600_000),
    burstSeconds: fc.constantFrom(10, 60),
    latencyMs: fc.constantFrom(50, 1000, 6000),
    factor: fc.constantFrom(0.6, 1, 1.5, 2.2),
    sendsHeaders: fc.boolean(),
  })
  .map(({ factor, ...rest }) => {
    const used = (n: number) => 300 + ((n * 7919) % 600);
    const charged = (n: number) => used(n) * (rest.sendsHeaders ? factor : 1);
    return { ...rest, estimate: () => 840, used, charged };
  });

test('a limit of requests is used up without being exceeded, whether the recipe or the server names it', () => {
  fc.assert(
    fc.property(anyRequests, fc.boolean(), (provider, isInRecipe) => {
      const bucket = new TokenBucket(isInRecipe ? provider.perMinute : undefined, false);
      const { share, refused } = simulate(bucket, requests(provider.perMinute, provider), 3);
      assert.ok(share >= 0.97 && refused <= 0.01, JSON.stringify({ share, refused }));
    }),
    { numRuns: 40, seed: 1 },
  );
});

test('a limit of requests that only the recipe knows is used up', () => {
  const { share, refused } = simulate(new TokenBucket(3000, false), requests(3000, { burstSeconds: 2, sendsHeaders: false }), 3);
  assert.ok(share >= 0.99 && refused === 0, JSON.stringify({ share, refused }));
});

test('a limit of tokens is used up, however far estimates, use and what the server charges differ', () => {
  fc.assert(
    fc.property(anyTokens, (provider) => {
      const { share, refused } = simulate(new TokenBucket(provider.perMinute, true), provider, 4);
      assert.ok(share >= 0.95 && refused <= 0.02, JSON.stringify({ share, refused }));
    }),
    { numRuns: 40, seed: 1 },
  );
});

test('a limit in the recipe that is too high or too low gives way to the one in the headers', () => {
  for (const wrong of [600, 30_000]) {
    const { share, refused } = simulate(new TokenBucket(wrong, false), requests(3000, { burstSeconds: 10 }), 3);
    assert.ok(share >= 0.97 && refused <= 0.01, JSON.stringify({ wrong, share, refused }));
  }
});

test('a minute of silence is not made up for in the first second', () => {
  const bucket = new TokenBucket(6000, false);
  let sent = 0;
  for (let now = 0; now < 1000; now += 1)
    while (bucket.waitMs(1, now) === 0) {
      bucket.take(1, now);
      sent += 1;
    }
  assert.ok(sent >= 100 && sent <= 130, `${sent} in a second of 100`);
});

test('an amount above the limit waits until the bucket is full, not for ever', () => {
  const bucket = new TokenBucket(1000, true);
  assert.equal(bucket.waitMs(5000, 0), 0);
  bucket.take(5000, 0);
  assert.ok(bucket.waitMs(5000, 1) > 60_000);
  assert.equal(bucket.waitMs(5000, 400_000), 0);
});

test('words of the server that make no sense are passed over', () => {
  const bucket = new TokenBucket(100, false);
  const nonsense = [0, -1, Number.NaN].map((limit) => ({ limit, remaining: 1, resetMs: 1 }));
  for (const said of [...nonsense, { limit: 200, remaining: Number.NaN, resetMs: undefined }]) {
    bucket.correct(said, 0, 0, 1);
    assert.equal(bucket.limit, 100);
  }
});

test('a call that is said to have used more than a minute brings is waited for no longer than that takes', () => {
  const bucket = new TokenBucket(60_000, true);
  bucket.take(100, 0);
  bucket.used(100, 1e12);
  assert.ok(bucket.waitMs(100, 0) <= 60_000);
  assert.equal(bucket.waitMs(100, 61_000), 0);
});

test('of several limits in recipes the least holds, until the server names its own', () => {
  const bucket = new TokenBucket(undefined, false);
  for (const [most, least] of [
    [1000, 1000],
    [60_000, 1000],
    [500, 500],
  ] as const) {
    bucket.limitTo(most);
    assert.equal(bucket.limit, least);
    assert.equal(bucket.waitMs(least, 0), 0, 'all of it is there at first');
  }
  bucket.take(500, 0);
  assert.equal(Math.round(bucket.waitMs(500, 0)), 60_000, 'no more than the least was there');
  bucket.correct({ limit: 2000, remaining: 2000, resetMs: undefined }, 0, 500, 0);
  bucket.limitTo(100);
  assert.equal(bucket.limit, 2000);
});

test('a call that used more than was taken is waited for, and what one did not use may be taken at once', () => {
  const dearer = new TokenBucket(1000, true);
  dearer.take(100, 0);
  dearer.used(100, 600);
  assert.ok(dearer.waitMs(500, 0) > 30_000);
  const cheaper = new TokenBucket(1000, true);
  cheaper.take(800, 0);
  cheaper.used(100, 50);
  assert.equal(Math.round(cheaper.waitMs(1000, 0)), 45_000, 'a quarter of the bucket is there');
  const refused = new TokenBucket(60_000, true);
  refused.take(200, 0);
  refused.refused(200, 0);
  refused.take(200, 0);
  assert.equal(refused.waitMs(1, 0), 0);
});

test('a word of the server counts what was taken since, but for what it refused', () => {
  for (const refusals of [1, 600]) {
    const bucket = new TokenBucket(60_000, false);
    const before = bucket.take(0, 0);
    for (let n = 0; n < refusals; n += 1) {
      bucket.take(100 / refusals, 1);
      bucket.refused(100 / refusals, 1);
    }
    bucket.correct({ limit: 60_000, remaining: 2000, resetMs: undefined }, 0, before, 10);
    assert.equal(bucket.waitMs(refusals === 1 ? 500 : 420, 10), 0, `${refusals}`);
    assert.ok(bucket.waitMs(520, 10) > 0, 'a reserve is left');
  }
});

test('the reserve of a small bucket is a part of what a call leaves in it', () => {
  const bucket = new TokenBucket(undefined, false);
  bucket.correct({ limit: 600_000, remaining: 700, resetMs: 30 }, 0, 0, 0);
  assert.equal(bucket.waitMs(500, 0), 0, '500 for the call, 150 of the other 500 in reserve');
  assert.ok(bucket.waitMs(600, 0) > 0);
});

const spread = (n: number) => 300 + ((n * 7919) % 600);
const tokens = (provider: Partial<Provider> & { readonly factor: number }): Provider => ({
  ...requests(600_000),
  used: spread,
  charged: (n) => spread(n) * provider.factor,
  ...provider,
});

/** Each by one mechanism of the bucket alone: without it the share falls below a half, or a half is refused. */
const CASES: readonly { readonly name: string; readonly provider: Provider; readonly isInRecipe: boolean }[] = [
  {
    name: 'learns from use: calls are thought to take five times what they do, and their answers come late',
    provider: tokens({ latencyMs: 20_000, factor: 0.6, estimate: () => 3000 }),
    isInRecipe: false,
  },
  {
    name: 'counts no refusal as taken: most of what a small bucket refuses is not charged',
    provider: tokens({ perMinute: 90_000, burstSeconds: 2, latencyMs: 50, factor: 4, estimate: () => 300 }),
    isInRecipe: true,
  },
  {
    name: 'catches up: what the server says is left over is used',
    provider: tokens({ burstSeconds: 2, latencyMs: 50, factor: 0.6, estimate: () => 3000 }),
    isInRecipe: true,
  },
  {
    name: 'keeps a reserve: calls on their way are charged more than is thought',
    provider: tokens({ burstSeconds: 1, latencyMs: 50, factor: 1.5, estimate: () => 300 }),
    isInRecipe: true,
  },
  {
    name: 'learns charges where they are certain: a bucket that was full in between has lost what came in',
    provider: tokens({ perMinute: 30_000, burstSeconds: 2, latencyMs: 1000, factor: 0.6, estimate: () => 840 }),
    isInRecipe: false,
  },
];

for (const { name, provider, isInRecipe } of CASES)
  test(`the bucket ${name}`, () => {
    const { share, refused } = simulate(new TokenBucket(isInRecipe ? provider.perMinute : undefined, true), provider, 3);
    assert.ok(share >= 0.9 && refused <= 0.1, JSON.stringify({ share, refused }));
  });
