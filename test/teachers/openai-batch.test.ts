import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { readBatchLine } from '../../src/teachers/batch-line.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import type { BatchApi, BatchLine, ChatRequest } from '../../src/teachers/teacher.ts';
import { withPractice } from '../rig/batching.ts';
import { startChatServer } from '../rig/chat-server.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-batch-'));
after(() => rm(root, { recursive: true }));
const { signal } = new AbortController();
const SECRET = 'sk-very-secret';

function open(baseUrl: string, provider: 'openai' | 'practice' = 'openai') {
  const spec = { provider, model: 'practice-direct', baseUrl, timeoutSeconds: 5, batch: { megabytes: 1, queuedTokens: 90_000 } };
  return openTeacher(teacherSpec.parse(spec), SECRET);
}
function batchOf(baseUrl: string): BatchApi {
  const { batch } = open(baseUrl);
  assert.ok(batch !== undefined);
  return batch;
}
const question = (content: string): ChatRequest => ({
  model: 'practice-direct',
  messages: [{ role: 'user', content }],
  temperature: 0,
  top_p: 1,
  max_tokens: 20,
  seed: 1,
  schema: { name: 'sheet', schema: { type: 'object' } },
  key: 'a'.repeat(64),
});

async function readAll(batch: BatchApi, file: string): Promise<BatchLine[]> {
  const lines: BatchLine[] = [];
  const said = await batch.read(file, async (some) => void lines.push(...some), signal);
  assert.ok(said.ok);
  return lines;
}

/** A server that answers everything in one way. */
async function withServer(
  answer: { readonly status?: number; readonly body: string | Buffer; readonly pieces?: number; readonly cut?: boolean },
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer(async (request, response) => {
    request.resume();
    const body = Buffer.from(answer.body);
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', 'content-length': body.length });
    const size = answer.pieces ?? body.length;
    for (let at = 0; at < body.length; at += size) {
      await new Promise((resolve) => response.write(body.subarray(at, at + size), resolve));
      await new Promise((resolve) => setImmediate(resolve));
      if (answer.cut === true) return void response.destroy();
    }
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

test('a line has the body of a live call', async () => {
  const server = await startChatServer();
  try {
    await open(server.url).complete(question('hello'), signal);
    const batch = batchOf(server.url);
    const line = JSON.parse(batch.line('id-1', batch.body(question('hello')))) as Record<string, unknown>;
    assert.deepEqual(line, { custom_id: 'id-1', method: 'POST', url: '/v1/chat/completions', body: server.asked[0]?.body });
  } finally {
    await server.close();
  }
});

test('a file goes up, is worked on and comes back line by line', async () => {
  await withPractice('', async ({ server }) => {
    const batch = batchOf(server.url);
    const path = join(root, 'requests');
    const odd = 'line\u2028separator, \u0085, "quotes" and 漢字';
    const lines = [1, 2, 3].map((n) => batch.line(`id-${n}`, batch.body({ ...question(`${odd} ${n}`), model: 'practice-echo' })));
    await writeFile(path, lines.map((line) => `${line.replace('practice-direct', 'practice-echo')}\n`).join(''));
    const uploaded = await batch.upload(path, 'requests.jsonl', signal);
    assert.ok(uploaded.ok);
    const created = await batch.create(uploaded.value.id, { mine: 'yes' }, signal);
    assert.ok(created.ok && created.value?.status === 'validating');
    let last = created.value;
    while (last.status !== 'completed') {
      const said = await batch.retrieve(last.id, signal);
      assert.ok(said.ok);
      last = said.value;
    }
    assert.deepEqual([last.answered, last.errorFile, last.errors], [3, undefined, []]);
    const found = await readAll(batch, last.outputFile ?? '');
    assert.deepEqual(
      found.map(({ customId }) => customId),
      ['id-1', 'id-2', 'id-3'],
    );
    const cancelled = await batch.cancel(last.id, signal);
    assert.ok(cancelled.ok && cancelled.value.status === 'completed');
  });
});

test('a batch is found by its metadata on any page of the list', async () => {
  await withPractice('delay=60000', async ({ server }) => {
    const batch = batchOf(server.url);
    const path = join(root, 'one');
    await writeFile(path, 'no request\n');
    const uploaded = await batch.upload(path, 'one.jsonl', signal);
    assert.ok(uploaded.ok);
    const ids: string[] = [];
    for (let n = 0; n < 205; n += 1) {
      const created = await batch.create(uploaded.value.id, { name: `batch ${n}`, all: 'alike' }, signal);
      assert.ok(created.ok && created.value !== undefined);
      ids.push(created.value.id);
    }
    for (const n of [0, 104, 204]) {
      const found = await batch.find({ name: `batch ${n}`, all: 'alike' }, signal);
      assert.deepEqual(found.ok && found.value.map(({ id }) => id), [ids[n]]);
    }
    const all = await batch.find({ all: 'alike' }, signal);
    assert.deepEqual(all.ok && all.value.map(({ id }) => id), ids.toReversed());
    const none = await batch.find({ name: 'batch 1', all: 'others' }, signal);
    assert.deepEqual(none, { ok: true, value: [] });
  });
});

test('a list whose pages are always the same comes to an end', async () => {
  const page = { object: 'list', has_more: true, data: [{ id: 'b-1', status: 'completed', metadata: { name: 'mine' } }] };
  const server = createServer((_, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(page)),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const batch = batchOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
  const found = await batch.find({ name: 'mine' }, signal);
  server.close();
  server.closeAllConnections();
  assert.deepEqual(found.ok && found.value.map(({ id }) => id), ['b-1']);
});

test('what a server refuses is data: its kind, its words, never the key', async () => {
  const body = JSON.stringify({ error: { message: `Not with ${SECRET}`, type: 'invalid_request_error', code: null } });
  for (const [status, kind] of [
    [400, 'refused'],
    [401, 'stop'],
    [404, 'stop'],
    [429, 'again'],
    [503, 'again'],
  ] as const) {
    await withServer({ status, body }, async (url) => {
      const batch = batchOf(url);
      const path = join(root, 'empty');
      await writeFile(path, '');
      const all = [
        await batch.upload(path, 'f', signal),
        await batch.create('f', {}, signal),
        await batch.retrieve('b', signal),
        await batch.find({}, signal),
        await batch.read('f', async () => undefined, signal),
        await batch.cancel('b', signal),
      ];
      for (const said of all) {
        assert.ok(!said.ok);
        const { kind: found, status: heard, message } = said.failure;
        assert.deepEqual([found, heard, message], [kind, status, `HTTP ${status}: Not with [redacted]`]);
      }
    });
  }
});

test('a server that is not there was sent nothing; one that breaks off may have heard', async () => {
  let nobody = '';
  await withServer({ body: '' }, async (url) => {
    nobody = url;
  });
  const batch = batchOf(nobody);
  const unsent = await batch.create('f', {}, signal);
  assert.equal(!unsent.ok && unsent.failure.status, 0);
  await withServer({ body: '{"id":"batch"}', pieces: 3, cut: true }, async (url) => {
    const lost = await batchOf(url).create('f', {}, signal);
    assert.ok(!lost.ok);
    assert.deepEqual([lost.failure.kind, lost.failure.status], ['again', undefined]);
  });
});

test('lines are whole in whatever pieces they come, and only a line feed ends one', async () => {
  const text = (n: number) => `ä${n}\u2028漢\u0085字\r`;
  const body = [1, 2, 3].map((n) => JSON.stringify({ custom_id: `id ${text(n)}`, response: null })).join('\n\n');
  for (const pieces of [1, 2, 7, 1000]) {
    for (const end of ['', '\n', '\r\n']) {
      await withServer({ body: `${body}${end}`, pieces }, async (url) => {
        const lines = await readAll(batchOf(url), 'f');
        assert.deepEqual(
          lines.map(({ customId }) => customId),
          [1, 2, 3].map((n) => `id ${text(n)}`),
        );
      });
    }
  }
});

test('a file that breaks off says so, and what came before was handed on', async () => {
  const line = `${JSON.stringify({ custom_id: 'id', response: null })}\n`;
  await withServer({ body: line.repeat(10), pieces: line.length * 3, cut: true }, async (url) => {
    const lines: BatchLine[] = [];
    const said = await batchOf(url).read('f', async (some) => void lines.push(...some), signal);
    assert.ok(!said.ok && said.failure.kind === 'again');
    assert.ok(lines.length <= 3);
  });
});

test('what the reader of the lines throws is thrown', async () => {
  await withServer({ body: '{"custom_id":"id"}\n' }, async (url) => {
    const reading = batchOf(url).read('f', () => Promise.reject(new Error('disk full')), signal);
    await assert.rejects(reading, /disk full/);
  });
});

test('only what is a chat completion is an answer', () => {
  const completion = { choices: [{ finish_reason: 'stop', message: { content: 'yes' } }], usage: { prompt_tokens: 3 } };
  const read = (line: unknown) => {
    const found = readBatchLine(JSON.stringify(line));
    return found.customId === undefined ? undefined : found.answer;
  };
  const answer = (status_code: number, body: unknown) =>
    read({ custom_id: 'c', response: { status_code, request_id: 'r', body }, error: null });
  const good = answer(200, completion);
  assert.ok(good?.ok);
  assert.deepEqual([good.reply.text, good.reply.requestId, good.reply.promptTokens, good.reply.raw], ['yes', 'r', 3, completion]);
  const kinds = (said: ReturnType<typeof read>) =>
    said === undefined || said.ok ? said?.ok : [said.failure.kind, said.failure.status];
  assert.deepEqual(kinds(answer(200, { choices: [] })), ['again', undefined], 'it may have been billed');
  assert.deepEqual(kinds(answer(200, null)), ['again', undefined]);
  assert.deepEqual(kinds(answer(200, { error: { message: 'upstream' } })), ['again', 200]);
  assert.deepEqual(kinds(answer(400, { error: { message: 'bad' } })), ['refused', 400]);
  assert.deepEqual(kinds(answer(429, { error: { code: 'insufficient_quota' } })), ['quota', 429]);
  assert.deepEqual(kinds(answer(503, undefined)), ['again', 503]);
  assert.deepEqual(kinds(read({ custom_id: 'c', response: null, error: { code: 'batch_expired', message: 'late' } })), [
    'again',
    0,
  ]);
  assert.deepEqual(kinds(read({ custom_id: 'c' })), ['again', 0]);
  assert.equal(read({ response: { status_code: 200, body: completion } }), undefined);
  assert.equal(readBatchLine('{"id": "batch_req", "custom').customId, undefined);
  const cut = readBatchLine('{"custom_id": "c", ');
  assert.ok(cut.customId === 'c', 'of a broken line at least the call');
  assert.deepEqual(kinds(cut.answer), ['again', undefined]);
});

test('no line, however garbled, throws or becomes an answer', () => {
  const garbled = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({
        custom_id: fc.string(),
        response: fc.oneof(fc.jsonValue(), fc.record({ status_code: fc.integer(), body: fc.jsonValue() })),
      })
      .map((line) => JSON.stringify(line)),
  );
  fc.assert(
    fc.property(garbled, (text) => {
      const line = readBatchLine(text);
      assert.ok(line.customId === undefined || !line.answer.ok);
    }),
    { numRuns: 500 },
  );
});

test('only teachers that the recipe wants to be asked by the file take files', () => {
  const base = { provider: 'practice', model: 'practice-direct', baseUrl: 'http://127.0.0.1:1/v1' } as const;
  assert.equal(openTeacher(teacherSpec.parse(base), undefined).batch, undefined);
  const batch = { requests: 5, megabytes: 2, queuedTokens: 7, pollSeconds: 3 };
  const opened = openTeacher(teacherSpec.parse({ ...base, batch }), undefined).batch;
  assert.deepEqual([opened?.requests, opened?.bytes, opened?.queuedTokens, opened?.pollMs], [5, 2e6, 7, 3000]);
  assert.equal(openTeacher(teacherSpec.parse({ ...base, via: 'self-hosted', batch }), undefined).batch, undefined);
});
