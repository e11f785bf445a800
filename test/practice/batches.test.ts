import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { type FaultyOptions, startFaultyPractice } from '../rig/faulty-practice.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-practice-'));
after(() => rm(root, { recursive: true }));

async function withServer<T>(options: FaultyOptions, use: (client: OpenAI, answered: () => number) => Promise<T>): Promise<T> {
  const server = await startFaultyPractice({ seed: 1, ...options });
  try {
    return await use(new OpenAI({ apiKey: 'key', baseURL: server.url, maxRetries: 0 }), server.answered);
  } finally {
    await server.close();
  }
}

const request = (id: string, model = 'practice-direct') =>
  JSON.stringify({
    custom_id: id,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model, messages: [{ role: 'user', content: `Reverse the word number${id}` }], temperature: 0 },
  });
const requests = (count: number) => Array.from({ length: count }, (_, n) => request(`c${n}`));

async function create(client: OpenAI, lines: readonly string[], metadata = {}): Promise<OpenAI.Batch> {
  const file = await client.files.create({ file: await toFile(Buffer.from(lines.join('\n')), 'in.jsonl'), purpose: 'batch' });
  return client.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h', metadata });
}
async function finished(client: OpenAI, { id }: OpenAI.Batch): Promise<OpenAI.Batch> {
  for (;;) {
    const batch = await client.batches.retrieve(id);
    if (['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) return batch;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
interface Line {
  readonly custom_id: string;
  readonly response: {
    readonly status_code: number;
    readonly body: { readonly choices: readonly { message: { content: string } }[] };
  } | null;
  readonly error: { readonly code: string } | null;
}
async function linesOf(client: OpenAI, file: string | undefined): Promise<Line[]> {
  if (file == null) return [];
  const text = await (await client.files.content(file)).text();
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}
const ids = (lines: readonly Line[]) => lines.map(({ custom_id }) => custom_id);

test('a batch gets the answers that live calls get, and they count as answered', async () => {
  await withServer({}, async (client, answered) => {
    const batch = await finished(client, await create(client, requests(5), { run: 'r' }));
    assert.deepEqual(
      [batch.status, batch.request_counts, batch.metadata],
      ['completed', { total: 5, completed: 5, failed: 0 }, { run: 'r' }],
    );
    const lines = await linesOf(client, batch.output_file_id);
    assert.deepEqual(ids(lines), ['c0', 'c1', 'c2', 'c3', 'c4']);
    assert.equal(answered(), 5);
    const live = await client.chat.completions.create({
      model: 'practice-direct',
      messages: [{ role: 'user', content: 'Reverse the word numberc0' }],
      temperature: 0,
    });
    assert.equal(lines[0]?.response?.body.choices[0]?.message.content, live.choices[0]?.message.content);
  });
});

test('every final state can be had', async () => {
  const ends: Record<string, { status: string; output: number; errors: number }> = {
    'expired=0.5': { status: 'expired', output: 2, errors: 2 },
    'cancelled=0.25': { status: 'cancelled', output: 1, errors: 0 },
    errors: { status: 'completed', output: 0, errors: 4 },
    twice: { status: 'completed', output: 5, errors: 0 },
    unknown: { status: 'completed', output: 5, errors: 0 },
    failed: { status: 'failed', output: 0, errors: 0 },
  };
  for (const [batches, { status, output, errors }] of Object.entries(ends)) {
    await withServer({ batches }, async (client) => {
      const batch = await finished(client, await create(client, requests(4)));
      const found = [await linesOf(client, batch.output_file_id), await linesOf(client, batch.error_file_id)];
      assert.deepEqual([batch.status, ...found.map(({ length }) => length)], [status, output, errors], batches);
      if (status === 'expired') assert.ok(found[1]?.every(({ error }) => error?.code === 'batch_expired'));
    });
  }
});

test('answers come in another order when told to', async () => {
  await withServer({ batches: 'shuffled' }, async (client) => {
    const batch = await finished(client, await create(client, requests(20)));
    const found = ids(await linesOf(client, batch.output_file_id));
    assert.notDeepEqual(found, ids(requests(20).map((line) => JSON.parse(line) as Line)));
    assert.equal(new Set(found).size, 20);
  });
});

test('a file with mistakes is refused as a whole, with the lines', async () => {
  await withServer({}, async (client, answered) => {
    const lines = [request('a'), 'no JSON', request('a'), request('b', 'gpt-4'), '{}'];
    const { status, errors } = await finished(client, await create(client, lines));
    assert.equal(status, 'failed');
    assert.deepEqual(
      errors?.data?.map(({ code, line }) => [code, line]),
      [
        ['invalid_json_line', 2],
        ['duplicate_custom_id', 3],
        ['model_not_found', 4],
        ['invalid_json_line', 5],
      ],
    );
    assert.equal(answered(), 0);
    assert.equal((await finished(client, await create(client, []))).errors?.data?.[0]?.code, 'empty_file');
  });
});

test('too many waiting tokens are accepted first and refused then', async () => {
  await withServer({ batches: 'queue=60,delay=20' }, async (client) => {
    const [small, large] = [await create(client, requests(4)), await create(client, requests(20))];
    assert.equal(large.status, 'validating');
    assert.equal((await finished(client, large)).errors?.data?.[0]?.code, 'token_limit_exceeded');
    assert.equal((await finished(client, small)).status, 'completed');
  });
});

test('a batch can be cancelled, and the list goes page by page from the newest', async () => {
  await withServer({ batches: 'delay=600000' }, async (client) => {
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1) made.push((await create(client, requests(1))).id);
    const listed: string[] = [];
    for await (const { id } of client.batches.list({ limit: 2 })) listed.push(id);
    assert.deepEqual(listed, made.toReversed());
    assert.equal((await client.batches.cancel(made[0] as string)).status, 'cancelling');
    assert.equal((await finished(client, await client.batches.retrieve(made[0] as string))).status, 'cancelled');
  });
});

test('what is not there is a 404, what is no batch a 400', async () => {
  await withServer({}, async (client) => {
    const file = await client.files.create({ file: await toFile(Buffer.from('x'), 'x'), purpose: 'batch' });
    assert.deepEqual(
      [(await client.files.retrieve(file.id)).filename, await (await client.files.content(file.id)).text()],
      ['x', 'x'],
    );
    assert.ok((await client.files.delete(file.id)).deleted);
    await assert.rejects(client.files.retrieve(file.id), { status: 404 });
    await assert.rejects(client.files.content('../../etc'), { status: 404 });
    await assert.rejects(client.batches.retrieve('batch_1'), { status: 404 });
    const endpoint = '/v1/chat/completions';
    await assert.rejects(client.batches.create({ input_file_id: file.id, endpoint, completion_window: '24h' }), { status: 400 });
  });
});

test('batches outlive the server: what was answered is not answered again', async () => {
  const log = join(root, 'log.jsonl');
  const batch = await withServer({ log, faults: 'latency=5' }, async (client, answered) => {
    const created = await create(client, requests(100));
    while (answered() < 10) await new Promise((resolve) => setTimeout(resolve, 5));
    return created;
  });
  await withServer({ log }, async (client, answered) => {
    assert.ok(answered() >= 10);
    const { status, output_file_id, request_counts } = await finished(client, batch);
    assert.deepEqual([status, request_counts?.completed, answered()], ['completed', 100, 100]);
    assert.equal(new Set(ids(await linesOf(client, output_file_id))).size, 100);
  });
  await withServer({ log }, async (client, answered) => {
    assert.deepEqual([(await client.batches.retrieve(batch.id)).status, answered()], ['completed', 100]);
  });
});

test('rules that cannot be read are refused', async () => {
  await assert.rejects(startFaultyPractice({ batches: 'late' }), /Cannot read batch rule "late"/);
});

test('a batch whose file is deleted before it is worked on is refused', async () => {
  const log = join(root, 'deleted.jsonl');
  const batch = await withServer({ log, batches: 'delay=600000' }, async (client) => {
    const created = await create(client, requests(2));
    await client.files.delete(created.input_file_id);
    return created;
  });
  await withServer({ log }, async (client) => {
    const { status, errors } = await finished(client, batch);
    assert.deepEqual([status, errors?.data?.[0]?.code], ['failed', 'empty_file']);
  });
});
