import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration } from './limits.ts';
import { type LoadOptions, type LoadServer, startLoadServer } from './load-server.ts';

const ask = (server: LoadServer, content: string, more: object = {}) =>
  fetch(`${server.url}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content }], ...more }),
  });
const textOf = async (response: Response) =>
  ((await response.json()) as { choices: [{ message: { content: string } }] }).choices[0].message.content;

async function withServer(options: LoadOptions, work: (server: LoadServer) => Promise<void>): Promise<void> {
  const server = await startLoadServer(options);
  try {
    await work(server);
  } finally {
    await server.close();
  }
}

test('what was answered before the mark and is asked again counts once, and what is new does not', async () => {
  await withServer({ countOnly: 'q' }, async (server) => {
    const first = await textOf(await ask(server, 'q1'));
    await ask(server, 'q2');
    await ask(server, 'something else');
    server.mark();
    assert.equal(await textOf(await ask(server, 'q1')), first);
    await ask(server, 'q1');
    await ask(server, 'q3');
    const { requests, others, contents, repeated, answeredAgain } = server.tally();
    assert.deepEqual(
      { requests, others, contents, repeated, answeredAgain },
      { requests: 6, others: 1, contents: 3, repeated: 2, answeredAgain: 1 },
    );
  });
});

test('limits are OpenAI headers on every answer, and 429 beyond them', async () => {
  await withServer({ requestsPerMinute: 2, tokensPerMinute: 1000 }, async (server) => {
    const first = await ask(server, 'a', { max_tokens: 100 });
    assert.equal(first.headers.get('x-ratelimit-limit-requests'), '2');
    assert.equal(first.headers.get('x-ratelimit-remaining-requests'), '1');
    assert.match(first.headers.get('x-ratelimit-reset-tokens') ?? '', /^\d+(\.\d+)?(ms|s)$/);
    await ask(server, 'b');
    const third = await ask(server, 'c');
    assert.equal(third.status, 429);
    assert.ok(Number(third.headers.get('retry-after')) <= 30);
    assert.equal(server.tally().refused, 1);
  });
});

test('a duration is written as OpenAI writes it', () => {
  assert.deepEqual([12, 1250, 360_000, 90_951].map(duration), ['12ms', '1.25s', '6m0s', '1m30.951s']);
});

test('a stored answer is found by its metadata', async () => {
  await withServer({}, async (server) => {
    await ask(server, 'kept', { store: true, metadata: { zephyr_key: 'k' } });
    const found = async (key: string) =>
      ((await (await fetch(`${server.url}/chat/completions?metadata[zephyr_key]=${key}`)).json()) as { data: unknown[] }).data;
    assert.equal((await found('k')).length, 1);
    assert.equal((await found('other')).length, 0);
  });
});

test('a schema is filled with each label once, and the text form of UltraFeedback with a block a text', async () => {
  await withServer({}, async (server) => {
    const entry = {
      type: 'object',
      properties: { label: { enum: ['A', 'B'] }, rating: { type: 'integer', enum: [1, 2, 3, 4, 5] } },
    };
    const schema = { type: 'object', properties: { ratings: { type: 'array', minItems: 2, items: entry } } };
    const reply = await textOf(await ask(server, 'x', { response_format: { type: 'json_schema', json_schema: { schema } } }));
    const { ratings } = JSON.parse(reply) as { ratings: { label: string; rating: number }[] };
    assert.deepEqual(
      ratings.map(({ label }) => label),
      ['A', 'B'],
    );
    assert.ok(ratings.every(({ rating }) => rating >= 1 && rating <= 5));
    const blocks = await textOf(await ask(server, '#### Output for Text 1\nRating: [r]\n\n#### Output for Text 2\nRating: [r]'));
    assert.equal(blocks.split('\n\n').filter((block) => /Rating: [1-5]\nRationale: /.test(block)).length, 2);
  });
});
