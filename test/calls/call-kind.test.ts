import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Call } from '../../src/calls/call.ts';
import { withSession } from '../../src/calls/run-calls.ts';
import { askAll, calls, withServer } from '../rig/asking.ts';

const CASE = join(import.meta.dirname, '../fixtures/cases/refused-parameter.json');
const refusals = JSON.parse(await readFile(CASE, 'utf8')) as { status: number; body: { error: { message: string } } }[];
const refusing = ({ status, body }: (typeof refusals)[number]) => ({ status, rawBody: JSON.stringify(body) });
const LINES = ['teachers.t.omit: [temperature]', 'teachers.t.omit: [top_p]'];

for (const [at, refusal] of refusals.entries())
  test(`four calls are sent to a server that says "${refusal.body.error.message}", and what it says is told`, () =>
    withServer(
      () => refusing(refusal),
      async (server, options) => {
        for (const count of [8, 120]) {
          const before = server.asked.length;
          await assert.rejects(
            withSession({ ...options, step: 'aif/judge' }, (session) => askAll(session, calls(count))),
            (error: Error & { exit?: string; hint?: string }) => {
              assert.equal(error.exit, 'preflight');
              assert.equal(
                error.message,
                `Stopped asking teacher "t" for "test" in step aif/judge: all 4 calls got no reply, the latest HTTP 400: ${refusal.body.error.message}`,
              );
              assert.ok(error.hint?.includes(LINES[at] as string), error.hint);
              return true;
            },
          );
          assert.equal(server.asked.length - before, 4);
        }
      },
    ));

/** Calls of another kind beside those of `calls`, each with its turn. */
function mixed(count: number, other: Partial<Call>): Call[] {
  return calls(count).flatMap((each) => [each, { ...each, ...other }]);
}

for (const [what, other] of [
  ['teacher', { teacher: 'other', model: 'other' }],
  ['purpose', { purpose: 'other', schema: { name: 'other', schema: {} } }],
] as const)
  test(`the successes of others do not hide that all calls of one ${what} are refused`, () =>
    withServer(
      ({ body }) => (body.model === 'other' || body.response_format !== undefined ? { status: 422 } : {}),
      async (server, options) => {
        const [teacher] = await options.teacher('t');
        assert.ok(teacher);
        await assert.rejects(
          withSession({ ...options, teacher: () => Promise.resolve([teacher]) }, (session) =>
            askAll(session, mixed(400, 'teacher' in other ? { ...other, schema: { name: 'x', schema: {} } } : other)),
          ),
          { exit: 'preflight', message: /^Stopped asking teacher "(other" for "test|t" for "other)": all 4 calls/ },
        );
        assert.ok(server.asked.length < 60, `${server.asked.length} calls`);
      },
    ));

test('calls that are too long each for itself stop nothing while others are answered', () =>
  withServer(
    ({ number }) =>
      number % 5 === 0
        ? {
            status: 400,
            rawBody:
              '{"error":{"message":"This model\'s maximum context length is 4096 tokens.","code":"context_length_exceeded"}}',
          }
        : {},
    async (_, options) => {
      const texts = await withSession(options, (session) => askAll(session, calls(200)));
      const declined = [...texts.values()].filter((text) => text === 'final 400');
      assert.equal(declined.length, 40);
    },
  ));

test('where every call is too long the session stops, and says that it is the prompts', () =>
  withServer(
    () => ({ status: 413, rawBody: 'Payload Too Large' }),
    async (server, options) => {
      await assert.rejects(
        withSession(options, (session) => askAll(session, calls(200))),
        { exit: 'usage', message: /all 16 calls got no reply, the latest HTTP 413: Payload Too Large/, hint: /^shorten prompts/ },
      );
      assert.ok(server.asked.length <= 20, `${server.asked.length} calls`);
    },
  ));

test('a call that waits behind the first ones is not sent once the user has detached', () => {
  const controller = new AbortController();
  return withServer(
    () => {
      controller.abort();
      return { delayMs: 20 };
    },
    async (server, options) => {
      await assert.rejects(
        withSession({ ...options, signal: controller.signal }, (session) => askAll(session, calls(50))),
        { exit: 'detached' },
      );
      assert.ok(server.asked.length <= 4, `${server.asked.length} calls`);
    },
  );
});
