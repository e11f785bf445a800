import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../../src/base/sha256.ts';
import { startPracticeServer } from '../../src/practice/server.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { serversOf } from '../../src/teachers/servers.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import { REQUEST } from '../contracts/teacher-rig.ts';

const never = new AbortController().signal;

test('the practice teacher is asked through any client, and always keeps what it answered', async () => {
  const server = await startPracticeServer({ seed: 1, key: 'practice' });
  try {
    for (const via of ['openai', 'huggingface', 'self-hosted']) {
      const spec = teacherSpec.parse({ provider: 'practice', model: 'practice-direct', baseUrl: server.url, via });
      const teacher = openTeacher(spec, 'practice');
      const { schema: _, ...whole } = { ...REQUEST, model: 'practice-direct' };
      const request = { ...whole, key: sha256(via) };
      const answer = await teacher.complete(request, never);
      const found = await teacher.recover(request.key, 'practice-direct', never);
      assert.ok(answer.ok && found?.ok, via);
      assert.equal(found.reply.text, answer.reply.text);
      assert.ok(teacher.settleMs > 0);
    }
  } finally {
    await server.close();
  }
});

test('the practice teacher cannot be opened before it was started', () => {
  assert.throws(() => openTeacher(teacherSpec.parse({ provider: 'practice', model: 'm' }), undefined), /before it was started/);
});

test('a server that refuses a call without a key is told from one that refuses the key', async () => {
  const server = await startPracticeServer({ seed: 1, key: 'right' });
  try {
    for (const provider of ['openai', 'huggingface', 'self-hosted']) {
      const spec = teacherSpec.parse({ provider, model: 'practice-direct', baseUrl: server.url });
      for (const [key, said] of [
        [undefined, /HTTP 401.*\(none was sent: the recipe names none in keyFrom\)$/],
        ['wrong', /HTTP 401(?!.*none was sent)/],
      ] as const) {
        const answer = await openTeacher(spec, key).complete({ ...REQUEST, model: 'practice-direct' }, never);
        assert.match(answer.ok ? '' : answer.failure.message, said, provider);
      }
    }
  } finally {
    await server.close();
  }
});

test('a call may take an hour, and no longer', () => {
  assert.equal(teacherSpec.safeParse({ provider: 'openai', model: 'm', timeoutSeconds: 3601 }).success, false);
  assert.equal(teacherSpec.parse({ provider: 'openai', model: 'm', timeoutSeconds: 3600 }).timeoutSeconds, 3600);
  assert.equal(teacherSpec.parse({ provider: 'openai', model: 'm' }).timeoutSeconds, 120);
});

test('an address with a password in it is refused: it would be printed', () => {
  const spec = { provider: 'openai', model: 'm', baseUrl: 'https://me:secret@example.com/v1' };
  assert.match(String(teacherSpec.safeParse(spec).error), /no name or password/);
});

test('the practice teacher is free, so that a budget can be set; others cost what the recipe says', () => {
  const price = { input: 1, output: 2, date: '2026-01-02', source: 'a page' };
  const priceFor = (spec: object) =>
    openTeacher(teacherSpec.parse({ model: 'm', baseUrl: 'http://127.0.0.1/v1', ...spec }), 'key').price;
  assert.deepEqual(priceFor({ provider: 'practice' }), { input: 0, output: 0, batch: 0.5 });
  for (const provider of ['practice', 'openai', 'huggingface', 'self-hosted'])
    assert.deepEqual(priceFor({ provider, price }), { input: 1, output: 2, batch: 0.5 });
  assert.equal(priceFor({ provider: 'openai' }), undefined);
});

test('servers of a failover list are teachers of their own, under their own names of the model', () => {
  const spec = teacherSpec.parse({
    provider: 'openai',
    model: 'm',
    timeoutSeconds: 300,
    store: true,
    failover: [
      { provider: 'self-hosted', baseUrl: 'http://127.0.0.1/v1', model: 'their/m' },
      { provider: 'huggingface', tokenLimit: 'max_completion_tokens' },
    ],
  });
  assert.deepEqual(
    serversOf(spec).map(({ provider, model, timeoutSeconds, store, tokenLimit }) => [
      provider,
      model,
      timeoutSeconds,
      store,
      tokenLimit,
    ]),
    [
      ['openai', 'm', 300, true, 'max_tokens'],
      ['self-hosted', 'their/m', 300, false, 'max_tokens'],
      ['huggingface', 'm', 300, false, 'max_completion_tokens'],
    ],
  );
});
