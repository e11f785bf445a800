import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readReply } from '../../src/teachers/reply.ts';
import { readUsage } from '../../src/teachers/usage.ts';

const said = (prompt_tokens: unknown, completion_tokens: unknown, total_tokens?: unknown, more = {}) => ({
  prompt_tokens,
  completion_tokens,
  ...(total_tokens === undefined ? {} : { total_tokens }),
  ...more,
});
const thought = (reasoning_tokens: number) => ({ completion_tokens_details: { reasoning_tokens } });
const cached = (cached_tokens: number) => ({ prompt_tokens_details: { cached_tokens } });

const TABLE: readonly [what: string, usage: unknown, input: number | undefined, output: number | undefined][] = [
  ['reasoning outside the completion', said(50, 20, 2070, thought(2000)), 50, 2020],
  ['no completion but reasoning', said(21, 0, 81, thought(60)), 21, 60],
  ['reasoning inside, as at OpenAI', said(50, 2020, 2070, thought(2000)), 50, 2020],
  ['a sum that says that nothing is outside', said(50, 20, 70, thought(2000)), 50, 20],
  ['reasoning without a total', said(50, 20, undefined, thought(2000)), 50, 2020],
  ['no total', said(50, 20), 50, 20],
  ['no completion', said(50, undefined, 70), 50, 20],
  ['no prompt', said(undefined, 20, 70), 50, 20],
  ['a total below the prompt', said(50, 20, 10), 50, 20],
  ['a total below the prompt and no completion', said(50, undefined, 10), 50, undefined],
  ['a total of nothing', said(50, 20, 0), 50, 20],
  ['numbers as text', said('50', '20', '2070'), 50, 2020],
  ['halves', said(49.5, 19.2, 70), 50, 20],
  ['negative numbers', said(-1, -1, -1), undefined, undefined],
  ['text that is no number', said('many', '', 'NaN'), undefined, undefined],
  ['null', said(null, null, null), undefined, undefined],
  ['a number without measure', said(10, 1e300, 1e300), 10, undefined],
  ['no usage', undefined, undefined, undefined],
  ['a usage that is a list', [1, 2], undefined, undefined],
  ['cached input inside the prompt', said(1000, 20, 1020, cached(900)), 1000, 20],
  ['cached input outside of it', said(100, 20, 1020, cached(900)), 1000, 20],
  ['cached input outside of it, and no total', said(100, 20, undefined, cached(900)), 1000, 20],
  ["Anthropic's names", { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 90 }, 100, 5],
];

for (const [what, usage, input, output] of TABLE)
  test(`tokens are read from usage with ${what}`, () => assert.deepEqual(readUsage(usage), { input, output }));

test('the replies of a gateway with reasoning outside of the completion are counted in full', () => {
  const replies = JSON.parse(readFileSync('test/fixtures/cases/reasoning-tokens-cost.json', 'utf8')) as unknown[];
  const counts = replies.map((raw) => readReply(raw, undefined)).map((reply) => [reply?.promptTokens, reply?.completionTokens]);
  assert.deepEqual(counts, [
    [50, 2020],
    [21, 60],
  ]);
});

test('a text that took no tokens is one of which nobody knows what it took', () => {
  const body = (content: string) => ({ choices: [{ message: { content }, finish_reason: 'stop' }], usage: said(5, 0, 5) });
  assert.equal(readReply(body('words'), undefined)?.completionTokens, undefined);
  assert.equal(readReply(body(''), undefined)?.completionTokens, 0);
});
