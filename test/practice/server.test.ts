import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeQuestionBank } from '../../src/practice/question-bank.ts';
import { type FaultyOptions, startFaultyPractice } from '../rig/faulty-practice.ts';

const bank = makeQuestionBank(4);
const question = bank.phrasings.find(({ heldOut }) => !heldOut)?.text as string;
interface Body {
  readonly choices: { message: { content: string | null; refusal: string | null }; finish_reason: string }[];
  readonly error: { message: string; type: string; code: string | null };
  readonly usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
  readonly data: { id: string }[];
  readonly has_more: boolean;
}

async function withServer(
  options: FaultyOptions,
  work: (
    ask: (body?: object, headers?: Record<string, string>) => Promise<{ response: Response; body: Body }>,
    url: string,
  ) => Promise<void>,
) {
  const server = await startFaultyPractice({ seed: 4, ...options });
  try {
    await work(async (body = {}, headers = {}) => {
      const request = { model: 'practice-direct', messages: [{ role: 'user', content: question }], ...body };
      const response = await fetch(`${server.url}/chat/completions`, { method: 'POST', body: JSON.stringify(request), headers });
      return { response, body: (await response.json()) as Body };
    }, server.url);
  } finally {
    await server.close();
  }
}
const textOf = (body: Body) => body.choices[0]?.message.content;

test('the same request gets the same words, another model or seed may say others', () =>
  withServer({}, async (ask) => {
    const said = async (more: object) => textOf((await ask(more)).body);
    assert.equal(await said({ model: 'practice-mixed' }), await said({ model: 'practice-mixed' }));
    const variants = new Set(await Promise.all(Array.from({ length: 30 }, (_, seed) => said({ model: 'practice-mixed', seed }))));
    assert.ok(variants.size > 3);
  }));

test('tokens are counted and the limit of a reply is kept', () =>
  withServer({}, async (ask) => {
    const { body } = await ask({ model: 'practice-rambling' });
    assert.equal(body.usage.total_tokens, body.usage.prompt_tokens + body.usage.completion_tokens);
    const short = (await ask({ model: 'practice-rambling', max_tokens: 3 })).body;
    assert.deepEqual([short.choices[0]?.finish_reason, short.usage.completion_tokens], ['length', 3]);
  }));

test('stored answers outlive the server and are found by their metadata', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-practice-'));
  const log = join(folder, 'log.jsonl');
  let first = '';
  await withServer({ log }, async (ask) => {
    first = textOf((await ask({ store: true, metadata: { zephyr_key: 'one' } })).body) ?? '';
    await ask({ store: true, metadata: { zephyr_key: 'two' } });
    await ask({ metadata: { zephyr_key: 'three' } });
  });
  await withServer({ log }, async (_, url) => {
    const list = async (query: string) => (await (await fetch(`${url}/chat/completions?${query}`)).json()) as Body;
    const found = await list('metadata[zephyr_key]=one');
    assert.equal(found.data.length, 1);
    assert.equal(textOf(found.data[0] as unknown as Body), first);
    assert.equal((await list('metadata[zephyr_key]=three')).data.length, 0);
    const page = await list('limit=1');
    assert.deepEqual([page.data.length, page.has_more], [1, true]);
    assert.equal((await list(`limit=1&after=${page.data[0]?.id}`)).has_more, false);
  });
  const lines = (await readFile(log, 'utf8')).trim().split('\n');
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { key: string }).key),
    ['one', 'two', 'three'],
  );
  await rm(folder, { recursive: true });
});

test('a wrong key, an unknown model and a bad body get errors in the form of OpenAI', () =>
  withServer({ key: 'secret' }, async (ask) => {
    const allowed = { authorization: 'Bearer secret' };
    const errors = [await ask(), await ask({ model: 'gpt-4' }, allowed), await ask({ messages: [] }, allowed)];
    assert.deepEqual(
      errors.map(({ response, body }) => [response.status, body.error.type, body.error.code]),
      [
        [401, 'invalid_request_error', 'invalid_api_key'],
        [404, 'invalid_request_error', 'model_not_found'],
        [400, 'invalid_request_error', null],
      ],
    );
  }));

test('it refuses on request: with and without a time to wait, for a share of the calls, for some calls', () =>
  withServer({ faults: '503x1' }, async (ask) => {
    assert.deepEqual([(await ask()).response.status, (await ask()).response.status], [503, 200]);
    const limited = await ask({}, { 'x-practice-faults': '429=7' });
    assert.deepEqual([limited.response.status, limited.response.headers.get('retry-after')], [429, '7']);
    assert.equal((await ask({ model: 'practice-direct+429' })).response.headers.get('retry-after'), null);
    assert.equal((await ask({ model: 'practice-direct+quota' })).body.error.code, 'insufficient_quota');
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async (_, seed) => (await ask({ model: 'practice-direct+503@0.3', seed })).response.status),
    );
    const share = statuses.filter((status) => status === 503).length;
    assert.ok(share > 10 && share < 50, `${share} of 100`);
  }));

test('an answer that is cut off or stalls was answered all the same', async () => {
  const server = await startFaultyPractice({ seed: 4 });
  const ask = (model: string, signal: AbortSignal) =>
    fetch(`${server.url}/chat/completions`, {
      method: 'POST',
      signal,
      body: JSON.stringify({ model, messages: [{ role: 'user', content: question }] }),
    }).then((response) => response.text());
  const enough = new AbortController();
  await assert.rejects(ask('practice-direct+cut', enough.signal), TypeError);
  const stalled = ask('practice-direct+stall', enough.signal);
  while (server.answered() < 2) await sleep(5);
  enough.abort();
  await assert.rejects(stalled, { name: 'AbortError' });
  await server.close();
});

test('a judge can be told to break its reply in every way', () =>
  withServer({}, async (ask) => {
    const schema = {
      type: 'object',
      properties: {
        ratings: {
          type: 'array',
          items: { type: 'object', properties: { label: { enum: ['A', 'B'] }, rating: { type: 'integer' } } },
        },
      },
    };
    const judged = async (fault: string) => {
      const messages = [{ role: 'user', content: `${question}\n### Text A\nyes\n### Text B\nno` }];
      const { body } = await ask({
        model: `practice-judge+${fault}`,
        messages,
        response_format: { type: 'json_schema', json_schema: { name: 'r', schema } },
      });
      return body.choices[0];
    };
    const labels = async (fault: string) =>
      (JSON.parse((await judged(fault))?.message.content ?? '') as { ratings: { label: string }[] }).ratings.map(
        ({ label }) => label,
      );
    assert.deepEqual(
      [await labels('latency=1'), await labels('wrong-label'), await labels('missing-label'), await labels('duplicate-label')],
      [['A', 'B'], ['Z', 'B'], ['B'], ['A', 'A']],
    );
    await assert.rejects(labels('invalid-json'), SyntaxError);
    assert.equal((await judged('refusal'))?.message.content, null);
    assert.equal((await judged('truncated'))?.finish_reason, 'length');
    assert.equal((await judged('empty'))?.message.content, '');
  }));

test('it plays the user: a list of openings, then a question that fits the dialogue', () =>
  withServer({}, async (ask) => {
    const schema = {
      type: 'object',
      properties: { messages: { type: 'array', items: { type: 'string' }, minItems: 6, maxItems: 6 } },
    };
    const { body } = await ask({
      model: 'practice-user',
      messages: [{ role: 'user', content: 'Topic: anything' }],
      response_format: { type: 'json_schema', json_schema: { name: 'openings', schema } },
    });
    const { messages } = JSON.parse(textOf(body) ?? '') as { messages: string[] };
    assert.equal(new Set(messages).size, 6);
    assert.ok(messages.every((text) => bank.byText.get(text)?.heldOut === false));
    const next =
      textOf(
        (await ask({ model: 'practice-user', messages: [{ role: 'user', content: `User: ${messages[0]}\n\nAssistant: Well.` }] }))
          .body,
      ) ?? '';
    assert.ok(bank.followUps.has(next) || bank.byText.get(next)?.heldOut === false);
  }));
