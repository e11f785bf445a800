import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TeacherSpec, teacherSpec } from '../../src/teachers/spec.ts';
import type { ChatRequest, Teacher } from '../../src/teachers/teacher.ts';
import { type Asked, type Doing, startChatServer } from '../rig/chat-server.ts';

export type Open = (spec: TeacherSpec, secret: string | undefined) => Teacher;

const SECRET = 'sk-very-secret-0123456789';
const SCHEMA = {
  name: 'answer',
  schema: { type: 'object', properties: { a: { type: 'integer', enum: [1, 2] } }, required: ['a'], additionalProperties: false },
};

export const REQUEST: ChatRequest = {
  model: 'some-model',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'the question' },
  ],
  temperature: 0.3,
  top_p: 0.9,
  max_tokens: 77,
  seed: 5,
  schema: SCHEMA,
  key: 'a'.repeat(64),
};

/** Runs `use` with a teacher at a scripted server. */
export async function withTeacher(
  open: Open,
  provider: TeacherSpec['provider'],
  extra: Partial<TeacherSpec>,
  script: (asked: Asked) => Doing,
  use: (teacher: Teacher, server: Awaited<ReturnType<typeof startChatServer>>) => Promise<void>,
): Promise<void> {
  const server = await startChatServer(script);
  try {
    await use(
      open(teacherSpec.parse({ provider, model: 'some-model', baseUrl: server.url, timeoutSeconds: 20, ...extra }), SECRET),
      server,
    );
  } finally {
    await server.close();
  }
}

/** What every teacher does, whichever SDK is behind it. */
export function teacherContract(name: string, provider: TeacherSpec['provider'], open: Open): void {
  const never = new AbortController().signal;
  const withScript = (
    script: (asked: Asked) => Doing,
    use: Parameters<typeof withTeacher>[4],
    extra: Partial<TeacherSpec> = {},
  ) => withTeacher(open, provider, extra, script, use);
  const failureOf = async (doing: Doing, extra: Partial<TeacherSpec> = {}) => {
    let found: { kind: string; status: number | undefined; afterMs: number | undefined; message: string } | undefined;
    let times = 0;
    await withScript(
      () => doing,
      async (teacher, server) => {
        const answer = await teacher.complete(REQUEST, never);
        assert.equal(answer.ok, false);
        if (!answer.ok) found = answer.failure;
        times = server.asked.length;
      },
      extra,
    );
    assert.ok(found);
    assert.doesNotMatch(found.message, /sk-very/);
    return { ...found, times };
  };

  test(`${name}: a reply comes back with text, usage, request id and raw body`, () =>
    withScript(
      () => ({}),
      async (teacher, server) => {
        const answer = await teacher.complete(REQUEST, never);
        assert.ok(answer.ok);
        const { raw, ...reply } = answer.reply;
        assert.deepEqual(reply, {
          text: 'echo: the question',
          finishReason: 'stop',
          refusal: undefined,
          promptTokens: 10,
          completionTokens: 5,
          requestId: 'req-1',
        });
        assert.equal((raw as { id: string }).id, 'chatcmpl-1');
        assert.equal(server.asked.length, 1);
      },
    ));

  test(`${name}: the request names the model and carries sampling, seed and strict schema`, () =>
    withScript(
      () => ({}),
      async (teacher, server) => {
        await teacher.complete(REQUEST, never);
        const { body, headers } = server.asked[0] as Asked;
        assert.equal(body.model, 'some-model');
        assert.deepEqual([body.temperature, body.top_p, body.max_tokens, body.seed], [0.3, 0.9, 77, 5]);
        assert.deepEqual(body.response_format, { type: 'json_schema', json_schema: { ...SCHEMA, strict: true } });
        assert.equal(headers.authorization, `Bearer ${SECRET}`);
      },
    ));

  test(`${name}: a reply that is not the JSON that was asked for is still a reply`, () =>
    withScript(
      () => ({ text: 'not { json', finish: 'length' }),
      async (teacher) => {
        const answer = await teacher.complete(REQUEST, never);
        assert.ok(answer.ok);
        assert.deepEqual(
          [answer.reply.text, answer.reply.finishReason, answer.reply.completionTokens],
          ['not { json', 'length', 5],
        );
      },
    ));

  test(`${name}: a refusal is a reply`, () =>
    withScript(
      () => ({ text: null, refusal: 'I must not' }),
      async (teacher) => {
        const answer = await teacher.complete(REQUEST, never);
        assert.ok(answer.ok);
        assert.deepEqual([answer.reply.text, answer.reply.refusal], ['', 'I must not']);
      },
    ));

  test(`${name}: a 503 is sent once and may be tried again`, async () => {
    const { kind, status, times } = await failureOf({ status: 503 });
    assert.deepEqual([kind, status, times], ['again', 503, 1]);
  });

  test(`${name}: a 429 says when to come back, in seconds or milliseconds`, async () => {
    const seconds = await failureOf({ status: 429, headers: { 'retry-after': '7' } });
    assert.deepEqual([seconds.kind, seconds.status, seconds.afterMs, seconds.times], ['again', 429, 7000, 1]);
    assert.equal((await failureOf({ status: 429, headers: { 'retry-after-ms': '250' } })).afterMs, 250);
    assert.equal((await failureOf({ status: 429 })).afterMs, undefined);
  });

  test(`${name}: an empty account is not a reason to wait although it comes with 429`, async () => {
    const rawBody = JSON.stringify({ error: { message: 'You exceeded your current quota', code: 'insufficient_quota' } });
    const { kind, message } = await failureOf({ status: 429, rawBody });
    assert.equal(kind, 'stop');
    assert.match(message, /exceeded your current quota/);
  });

  test(`${name}: a wrong key or model stops the step, a bad request fails its call alone`, async () => {
    for (const status of [401, 402, 403, 404]) assert.equal((await failureOf({ status })).kind, 'stop');
    for (const status of [400, 422]) assert.equal((await failureOf({ status })).kind, 'final');
    assert.match((await failureOf({ status: 400 })).message, /HTTP 400: scripted 400/);
  });

  test(`${name}: a body that is no chat completion may be tried again`, async () => {
    for (const rawBody of ['<html>', '{"choices":[]}', '{"choices":[{"mess']) {
      const { kind, status, times } = await failureOf({ rawBody });
      assert.deepEqual([kind, status, times], ['again', 200, 1]);
    }
  });

  test(`${name}: a cut connection is sent once and leaves the outcome unknown`, async () => {
    for (const trouble of ['cut', 'cut-body'] as const) {
      const { kind, status, times } = await failureOf({ trouble });
      assert.deepEqual([kind, status, times], ['again', undefined, 1]);
    }
  });

  test(`${name}: a stalled server is left after the timeout, and the call is sent once`, async () => {
    const { kind, status, times } = await failureOf({ trouble: 'stall' }, { timeoutSeconds: 0.3 });
    assert.deepEqual([kind, status, times], ['again', undefined, 1]);
  });

  test(`${name}: nobody at the address means that nothing was sent`, async () => {
    const server = await startChatServer();
    await server.close();
    const teacher = open(teacherSpec.parse({ provider, model: 'm', baseUrl: server.url }), SECRET);
    const answer = await teacher.complete(REQUEST, never);
    assert.equal(answer.ok, false);
    if (!answer.ok) assert.deepEqual([answer.failure.kind, answer.failure.status], ['again', 0]);
  });

  test(`${name}: the caller's signal ends the request`, () =>
    withScript(
      () => ({ trouble: 'stall' }),
      async (teacher) => {
        const controller = new AbortController();
        setTimeout(() => controller.abort(), 50);
        assert.equal((await teacher.complete(REQUEST, controller.signal)).ok, false);
      },
    ));

  test(`${name}: the name says model and place and never the key`, () =>
    withScript(
      () => ({}),
      async (teacher, server) => {
        assert.ok(teacher.name.includes('some-model') && teacher.name.includes(server.url));
        assert.doesNotMatch(JSON.stringify(teacher), /sk-very/);
      },
    ));
}
