import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFaultyPractice } from '../rig/faulty-practice.ts';
import { makeAdmission, type PracticeLimits } from '../rig/limits.ts';

const MINUTE = 60_000;

/** Asks once every `everyMs` for a minute; how many were let in. */
function admitted(limits: PracticeLimits, everyMs: number, tokens = 1): number {
  const admit = makeAdmission();
  let count = 0;
  for (let now = 0; now < MINUTE; now += everyMs) if (admit(limits, 'me', tokens, now).refusal === undefined) count += 1;
  return count;
}

test('in a minute as many calls are let in as the limit says, and what a full bucket held before', () => {
  assert.equal(admitted({ requestsPerMinute: 600, burstSeconds: 1 }, 10), 609);
  assert.equal(admitted({ requestsPerMinute: 600 }, 10), 1199);
  assert.equal(admitted({ tokensPerMinute: 60_000, burstSeconds: 1 }, 10, 500), 121);
});

test('the bucket is filled continuously: who keeps to the rate is never refused', () => {
  assert.equal(admitted({ requestsPerMinute: 600, burstSeconds: 1 }, 100), 600);
});

test('a refusal says when to come back, and then there is room', () => {
  const admit = makeAdmission();
  const limits = { requestsPerMinute: 60, tokensPerMinute: 600, burstSeconds: 10 };
  const ask = (tokens: number, now: number) => admit(limits, 'me', tokens, now);
  assert.equal(ask(100, 0).refusal, undefined);
  const { headers, refusal } = ask(50, 0);
  assert.equal(refusal?.type, 'tokens');
  assert.deepEqual(headers, {
    'x-ratelimit-limit-requests': '60',
    'x-ratelimit-remaining-requests': '9',
    'x-ratelimit-reset-requests': '1s',
    'x-ratelimit-limit-tokens': '600',
    'x-ratelimit-remaining-tokens': '0',
    'x-ratelimit-reset-tokens': '10s',
    'retry-after': '5',
    'retry-after-ms': '5000',
  });
  assert.notEqual(ask(50, 4999).refusal, undefined);
  assert.equal(ask(50, 5001).refusal, undefined);
});

test('a call that is larger than the bucket is told so, since waiting does not help', () => {
  const { refusal, headers } = makeAdmission()({ tokensPerMinute: 600 }, 'me', 601, 0);
  assert.match(refusal?.message ?? '', /^Request too large .* Limit 600, Requested 601/);
  assert.equal(headers['retry-after'], undefined);
});

test('accounts do not share their limits', () => {
  const admit = makeAdmission();
  const ask = (account: string) => admit({ requestsPerMinute: 1 }, account, 1, 0).refusal;
  assert.deepEqual([ask('a'), ask('a') === undefined, ask('b')], [undefined, false, undefined]);
});

async function statuses(options: PracticeLimits, asks: readonly { model?: string; key?: string; rules?: string }[]) {
  const server = await startFaultyPractice({ seed: 1, limits: options });
  try {
    const found: { status: number; header: (name: string) => string | null; code: unknown }[] = [];
    for (const { model = 'practice-echo', key = 'k', rules = '' } of asks) {
      const response = await fetch(`${server.url}/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'x-practice-faults': rules },
        body: JSON.stringify({ model, messages: [{ role: 'user', content: 'one two three' }], max_tokens: 50 }),
      });
      const { error } = (await response.json()) as { error?: { code: string } };
      found.push({ status: response.status, header: (name) => response.headers.get(name), code: error?.code });
    }
    assert.equal(server.answered(), found.filter(({ status }) => status === 200).length);
    return found;
  } finally {
    await server.close();
  }
}

test('the server names its limits on every answer, refuses with 429 and does not count that as answered', async () => {
  const [first, second, third] = await statuses({ requestsPerMinute: 2 }, [{}, { rules: '503' }, {}]);
  assert.deepEqual([first?.status, second?.status, third?.status], [200, 503, 429]);
  assert.equal(first?.header('x-ratelimit-remaining-requests'), '1');
  assert.equal(second?.header('x-ratelimit-limit-requests'), '2');
  assert.equal(third?.code, 'rate_limit_exceeded');
  assert.ok(Number(third?.header('retry-after-ms')) > 0);
});

test('limits are of each model, or of each key', async () => {
  const asks = [{ model: 'practice-echo' }, { model: 'practice-direct' }, { key: 'other' }];
  const of = async (per: 'model' | 'key') => (await statuses({ requestsPerMinute: 1, per }, asks)).map(({ status }) => status);
  assert.deepEqual(await of('model'), [200, 200, 200]);
  assert.deepEqual(await of('key'), [200, 429, 200]);
});

test('a call is charged what its answer reports, or what it might take', async () => {
  const left = async (charge: 'usage' | 'estimate') =>
    Number((await statuses({ tokensPerMinute: 1000, charge }, [{}]))[0]?.header('x-ratelimit-remaining-tokens'));
  assert.ok((await left('usage')) > (await left('estimate')));
});

test('limits can be wished for, also without a time to wait', async () => {
  const rules = 'rpm=1,silent-429';
  const [first, second] = await statuses({}, [{ rules }, { rules }]);
  assert.deepEqual([first?.status, second?.status, second?.header('retry-after')], [200, 429, null]);
});
