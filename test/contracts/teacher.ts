import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent, fetch, getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { type TeacherSpec, teacherSpec } from '../../src/teachers/spec.ts';
import { type Asked, type Doing, startChatServer } from '../rig/chat-server.ts';
import { teacherExtrasContract } from './teacher-extras.ts';
import { REQUEST, SCHEMA, SECRET, type TeacherUnderTest, withTeacher } from './teacher-rig.ts';

const PARTS = [
  { type: 'thinking', thinking: [] },
  { type: 'text', text: 'one ' },
  { type: 'text', text: 'two' },
];

/** What every teacher does, whichever SDK is behind it. */
export function teacherContract(name: string, tested: TeacherUnderTest): void {
  const { provider, open } = tested;
  const never = new AbortController().signal;
  const withScript = (
    script: (asked: Asked) => Doing,
    use: Parameters<typeof withTeacher>[3],
    extra: Partial<TeacherSpec> = {},
  ) => withTeacher(tested, extra, script, use);
  teacherExtrasContract(name, tested);
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
          alternatives: undefined,
        });
        assert.equal(answer.limits, undefined);
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

  test(`${name}: a text in parts is a text`, () =>
    withScript(
      () => ({ text: PARTS, usage: 'unknown' }),
      async (teacher) => {
        const answer = await teacher.complete(REQUEST, never);
        assert.ok(answer.ok);
        assert.deepEqual([answer.reply.text, answer.reply.promptTokens], ['one two', undefined]);
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
    assert.equal((await failureOf({ status: 503, headers: { 'retry-after': '86400' } })).afterMs, 86_400_000);
    const date = new Date(Date.now() + 3_600_000).toUTCString();
    const { afterMs = 0 } = await failureOf({ status: 429, headers: { 'retry-after': date } });
    assert.ok(afterMs > 3_000_000 && afterMs <= 3_600_000, `${afterMs} ms`);
  });

  test(`${name}: an empty account is not a reason to wait although it comes with 429`, async () => {
    const rawBody = JSON.stringify({ error: { message: 'You exceeded your current quota', code: 'insufficient_quota' } });
    const { kind, message } = await failureOf({ status: 429, rawBody });
    assert.equal(kind, 'quota');
    assert.match(message, /exceeded your current quota/);
    for (const status of [402, 403, 429]) {
      const error = { message: 'Payment Required', type: 'billing', code: null };
      assert.equal((await failureOf({ status, rawBody: JSON.stringify({ error }) })).kind, 'quota');
    }
    assert.equal((await failureOf({ status: 400, rawBody: '{"error":{"code":"billing_hard_limit_reached"}}' })).kind, 'quota');
  });

  test(`${name}: a bad request whose error quotes words about money fails its call alone`, async () => {
    const rawBody = JSON.stringify({ error: { message: 'cannot parse "payment required, insufficient funds"' } });
    assert.equal((await failureOf({ status: 400, rawBody })).kind, 'refused');
  });

  test(`${name}: a call with more tokens than a minute's limit is not tried again`, async () => {
    const message = 'Request too large for some-model on tokens per min (TPM): Limit 30000, Requested 40000.';
    const rawBody = JSON.stringify({ error: { message, type: 'tokens', code: 'rate_limit_exceeded' } });
    assert.equal((await failureOf({ status: 429, rawBody })).kind, 'final');
  });

  test(`${name}: a wrong key or model stops the step, a bad request fails its call alone`, async () => {
    for (const status of [401, 403, 404]) assert.equal((await failureOf({ status })).kind, 'stop');
    for (const status of [400, 422]) assert.equal((await failureOf({ status })).kind, 'refused');
    assert.match((await failureOf({ status: 400 })).message, /HTTP 400: scripted 400/);
  });

  test(`${name}: a key does not follow a server that moved`, () =>
    withScript(
      ({ path }) => (path.startsWith('/v1/') ? { status: 308, headers: { location: '/elsewhere' } } : {}),
      async (teacher, server) => {
        const answer = await teacher.complete(REQUEST, never);
        assert.ok(!answer.ok);
        assert.deepEqual([answer.failure.kind, server.asked.length], ['stop', 1]);
        assert.match(answer.failure.message, /moved to \/elsewhere/);
      },
    ));

  test(`${name}: a success that is no chat completion may be tried again, and may have been billed`, async () => {
    for (const rawBody of ['<html>', '{"choices":[]}', '{"choices":[{"mess', '[]', 'null', '{"error":null}']) {
      const { kind, status, times } = await failureOf({ rawBody });
      assert.deepEqual([kind, status, times], ['again', undefined, 1]);
    }
  });

  test(`${name}: an error that comes as a success is none, and costs nothing`, async () => {
    for (const rawBody of ['{"error":{"message":"upstream failed","code":502}}', '{"error":"upstream failed"}']) {
      const { kind, status } = await failureOf({ rawBody });
      assert.deepEqual([kind, status], ['again', 200]);
    }
  });

  test(`${name}: a cut connection is sent once and leaves the outcome unknown`, async () => {
    for (const trouble of ['cut', 'cut-body'] as const) {
      const { kind, status, times } = await failureOf({ trouble });
      assert.deepEqual([kind, status, times], ['again', undefined, 1]);
    }
  });

  test(`${name}: a stalled server is left after the timeout, and the call is sent once`, async () => {
    const { kind, status, times } = await failureOf({ trouble: 'stall' }, { timeoutSeconds: 2 });
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

  test(`${name}: the caller's signal ends the request`, () => {
    const controller = new AbortController();
    return withScript(
      () => {
        controller.abort();
        return { trouble: 'stall' };
      },
      async (teacher) => assert.equal((await teacher.complete(REQUEST, controller.signal)).ok, false),
    );
  });

  test(`${name}: the name says model and place and never the key`, () =>
    withScript(
      () => ({}),
      async (teacher, server) => {
        assert.ok(teacher.name.includes('some-model') && teacher.name.includes(server.url));
        assert.doesNotMatch(JSON.stringify(teacher), /sk-very/);
      },
    ));

  test(`${name}: a server that knows the model under another name is asked under that name`, () =>
    withScript(
      () => ({}),
      async (teacher, server) => {
        await teacher.complete(REQUEST, never);
        assert.equal(server.asked[0]?.body.model, 'their/some-model');
        if (!tested.keepsNone) assert.ok((await teacher.recover(REQUEST.key, REQUEST.model, never))?.ok);
      },
      { model: 'their/some-model', store: true },
    ));

  test(`${name}: a key that the server says back is not repeated, not even cut short`, async () => {
    for (const before of ['', 'x'.repeat(280), 'x'.repeat(290)]) {
      const rawBody = JSON.stringify({ error: { message: `${before}${SECRET} is not welcome` } });
      assert.match((await failureOf({ status: 401, rawBody })).message, /\[redacted\]/);
    }
  });

  test(`${name}: connections are used again`, () =>
    withScript(
      () => ({}),
      async (teacher, server) => {
        for (let number = 0; number < 10; number += 1) await teacher.complete(REQUEST, never);
        // The next call may come just before the last connection is known to be free.
        assert.ok(server.connections() <= 2, `${server.connections()} connections`);
      },
    ));

  test(`${name}: no timeout but the recipe's ends a call`, async () => {
    const usual = getGlobalDispatcher();
    const hasty = new Agent({ headersTimeout: 100, bodyTimeout: 100 });
    setGlobalDispatcher(hasty);
    const [asked, refused] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    try {
      await withScript(
        ({ body }) => {
          if (body.messages.length === 0) return { trouble: 'stall' };
          asked.resolve();
          return { after: refused.promise };
        },
        async (teacher, server) => {
          const answer = teacher.complete(REQUEST, never);
          await asked.promise;
          // asked later and timed out earlier
          await assert.rejects(fetch(`${server.url}/chat/completions`, { method: 'POST', body: '{"messages":[]}' }));
          refused.resolve();
          assert.equal((await answer).ok, true);
        },
      );
    } finally {
      setGlobalDispatcher(usual);
      await hasty.close();
    }
  });
}
