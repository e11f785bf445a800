import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { Storing } from '../rig/chat-server.ts';
import { REQUEST, type TeacherUnderTest, withTeacher } from './teacher-rig.ts';

/** What every teacher does where its server offers more than answers: limits, log-probabilities, a store. */
export function teacherExtrasContract(name: string, tested: TeacherUnderTest): void {
  const never = new AbortController().signal;
  const withScript = (script: Parameters<typeof withTeacher>[2], use: Parameters<typeof withTeacher>[3]) =>
    withTeacher(tested, {}, script, use);
  const withStoring = (storing: Storing, use: Parameters<typeof withTeacher>[3]) =>
    withTeacher(tested, { store: true }, () => ({}), use, storing);

  test(`${name}: what the server says of its limits comes with the answer, and with a refusal`, async () => {
    const headers = {
      'x-ratelimit-limit-requests': '10000',
      'x-ratelimit-remaining-requests': '9990',
      'x-ratelimit-reset-requests': '60ms',
      'x-ratelimit-limit-tokens': '2000000',
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit-reset-tokens': '1m0.5s',
    };
    for (const status of [200, 400, 429, 503])
      await withScript(
        () => ({ status, headers }),
        async (teacher) => {
          const answer = await teacher.complete(REQUEST, never);
          assert.equal(answer.ok, status === 200);
          assert.deepEqual(answer.limits, {
            requests: { limit: 10_000, remaining: 9990, resetMs: 60 },
            tokens: { limit: 2_000_000, remaining: 0, resetMs: 60_500 },
          });
        },
      );
  });

  test(`${name}: an answer that comes packed although nobody asked for it is unpacked`, async () => {
    const pack = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, identity: (bytes: Buffer) => bytes };
    for (const [encoding, packed] of Object.entries(pack))
      await withScript(
        () => ({ text: 'unpacked', pack: packed, headers: { 'content-encoding': encoding } }),
        async (teacher) => {
          const answer = await teacher.complete(REQUEST, never);
          assert.equal(answer.ok && answer.reply.text, 'unpacked', encoding);
        },
      );
  });

  test(`${name}: an answer that never ends is given up before the memory is full`, () =>
    withScript(
      () => ({ rawBody: Buffer.alloc((64 << 20) + 1, 'x') }),
      async (teacher) => {
        const answer = await teacher.complete(REQUEST, never);
        assert.ok(!answer.ok);
        assert.deepEqual([answer.failure.kind, answer.failure.status], ['again', undefined]);
        assert.match(answer.failure.message, /exceeded max size/);
      },
    ));

  test(`${name}: alternatives of the first token are asked for and read, likeliest first`, () =>
    withScript(
      () => ({
        text: '4',
        logprobs: {
          content: [
            {
              token: '4',
              logprob: -0.5,
              bytes: null,
              top_logprobs: [
                { token: '5', logprob: -1.5, bytes: null },
                { token: '4', logprob: -0.5, bytes: null },
              ],
            },
          ],
        },
      }),
      async (teacher, server) => {
        const answer = await teacher.complete({ ...REQUEST, top_logprobs: 20 }, never);
        assert.deepEqual([server.asked[0]?.body.logprobs, server.asked[0]?.body.top_logprobs], [true, 20]);
        assert.ok(answer.ok);
        assert.deepEqual(answer.reply.alternatives, [
          { token: '4', logprob: -0.5 },
          { token: '5', logprob: -1.5 },
        ]);
        await teacher.complete(REQUEST, never);
        assert.equal(server.asked[1]?.body.logprobs, undefined);
      },
    ));

  test(`${name}: log-probabilities that cannot be read cost no answer`, async () => {
    for (const logprobs of [null, {}, { content: [] }, { content: [{ token: '4' }] }, { content: 'none' }])
      await withScript(
        () => ({ text: '4', logprobs }),
        async (teacher) => {
          const answer = await teacher.complete({ ...REQUEST, top_logprobs: 5 }, never);
          assert.ok(answer.ok);
          assert.deepEqual([answer.reply.text, answer.reply.alternatives], ['4', undefined]);
        },
      );
  });

  test(`${name}: without \`store\` nothing is kept and nothing is looked for`, () =>
    withScript(
      () => ({}),
      async (teacher, server) => {
        await teacher.complete(REQUEST, never);
        assert.deepEqual([server.asked[0]?.body.store, server.asked[0]?.body.metadata], [undefined, undefined]);
        assert.equal(teacher.settleMs, 0);
        assert.equal(await teacher.recover(REQUEST.key, 'some-model', never), undefined);
      },
    ));

  if (tested.keepsNone) return;
  test(`${name}: with \`store\` an answer is found again by its key, whether or not the server can filter`, async () => {
    for (const all of [false, true])
      await withStoring({ all }, async (teacher) => {
        assert.equal(await teacher.recover(REQUEST.key, 'some-model', never), undefined);
        await teacher.complete(REQUEST, never);
        const found = await teacher.recover(REQUEST.key, 'some-model', never);
        assert.ok(found?.ok);
        assert.equal(found.reply.text, 'echo: the question');
        const other = await teacher.recover('b'.repeat(64), 'some-model', never);
        // Of a list that is cut short and not filtered nobody knows what is missing.
        assert.equal(other?.ok === false ? other.failure.kind : other, all ? 'final' : undefined);
        assert.ok(teacher.settleMs > 0);
      });
  });

  test(`${name}: a server without a store can never say, one that fails is a failure`, async () => {
    for (const [status, kind] of [
      [404, 'final'],
      [405, 'final'],
      [401, 'stop'],
      [500, 'again'],
    ] as const)
      await withStoring({ status }, async (teacher) => {
        const found = await teacher.recover(REQUEST.key, 'some-model', never);
        assert.equal(found?.ok === false && found.failure.kind, kind);
      });
  });
}
