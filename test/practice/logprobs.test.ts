import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Logprobs, logprobsOf } from '../../src/practice/logprobs.ts';
import type { ChatBody } from '../../src/practice/requests.ts';

const request = (content: string, more: Partial<ChatBody> = {}): ChatBody => ({
  model: 'practice-judge',
  messages: [{ role: 'user', content }],
  logprobs: true,
  top_logprobs: 20,
  ...more,
});
const first = (logprobs: Logprobs | undefined) => {
  const found = logprobs?.content[0];
  assert.ok(found);
  return found;
};

test('none are given that were not asked for', () => {
  assert.equal(logprobsOf(request('a', { logprobs: null }), '4'), undefined);
  assert.deepEqual(first(logprobsOf(request('a', { top_logprobs: null }), '4')).top_logprobs, []);
});

test('the digit of a rating is the likeliest token, its neighbours come next, and all together stay below 1', () => {
  for (const digit of ['1', '2', '3', '4', '5'])
    for (let n = 0; n < 50; n += 1) {
      const { token, logprob, top_logprobs: top } = first(logprobsOf(request(`text ${n}`), digit));
      assert.deepEqual([token, top[0]?.token, top[0]?.logprob], [digit, digit, logprob]);
      assert.ok(top.every((each, index) => index === 0 || each.logprob <= (top[index - 1]?.logprob ?? 0)));
      const chance = (wanted: string) => Math.exp(top.find(({ token: each }) => each === wanted)?.logprob ?? -99);
      const sum = top.reduce((total, each) => total + Math.exp(each.logprob), 0);
      assert.ok(sum <= 1 + 1e-9 && sum > 0.85, `${sum}`);
      for (const other of ['1', '2', '3', '4', '5'])
        assert.ok(other === digit || (chance(other) < chance(digit) && chance(other) > 0), other);
      assert.ok(top.some(({ token: each }) => each === ` ${digit}`));
    }
});

test('the same request gets the same numbers, another text others, and no more than it asks for', () => {
  const at = (content: string) => first(logprobsOf(request(content), '4')).logprob;
  assert.equal(at('a'), at('a'));
  assert.notEqual(at('a'), at('b'));
  assert.equal(first(logprobsOf(request('a', { top_logprobs: 3 }), '4')).top_logprobs.length, 3);
});

test('other replies have an entry for each token', () => {
  const logprobs = logprobsOf(request('a'), 'The home of Mira');
  assert.equal(logprobs?.content.map(({ token }) => token).join(''), 'The home of Mira');
  assert.equal(first(logprobs).top_logprobs[0]?.token, 'The');
  assert.deepEqual(logprobsOf(request('a'), ''), { content: [] });
});
