import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCalls, withSession } from '../../src/calls/run-calls.ts';
import type { CallsProgress } from '../../src/model/event.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import { askAll, call, calls, withServer } from '../rig/asking.ts';
import { startLoadServer } from '../rig/load-server.ts';

for (const isInRecipe of [true, false]) {
  test(`a server's limits are kept ${isInRecipe ? 'from the recipe' : 'as its headers name them'}, with hardly a refusal`, async () => {
    const limits = { requestsPerMinute: 6000, tokensPerMinute: 300_000 };
    const server = await startLoadServer({ ...limits, burstSeconds: 1, tokenCharge: 'usage', latencyMs: 20, characters: 40 });
    const callLog = await mkdtemp(join(tmpdir(), 'zephyr-limits-'));
    try {
      const teacher = openTeacher(
        teacherSpec.parse({ provider: 'openai', model: 'm', baseUrl: server.url, limits: isInRecipe ? limits : {} }),
        'key',
      );
      const seen: CallsProgress[] = [];
      const signal = new AbortController().signal;
      const options = {
        callLog,
        teacher: async () => [teacher],
        signal,
        progress: (each: CallsProgress) => void seen.push(each),
      };
      await withSession(options, (session) => runCalls(session, calls(400)));
      const { contents, repeated, refused } = server.tally();
      assert.deepEqual([contents, repeated], [400, 0]);
      assert.ok(refused <= 8, `${refused} of 400 refused`);
      const last = seen.at(-1)?.teachers[0];
      assert.deepEqual([last?.id, last?.requestLimit, last?.tokenLimit, last?.inFlight], ['t', 6000, 300_000, 0]);
    } finally {
      await server.close();
      await rm(callLog, { recursive: true });
    }
  });
}

test('Retry-After holds for every call to the server, and costs no attempt', () => {
  let until = 0;
  let early = 0;
  return withServer(
    ({ number }) => {
      if (performance.now() < until) early += 1;
      if (number % 20 !== 0) return { delayMs: 1 };
      until = performance.now() + 40;
      return { status: 429, headers: { 'retry-after-ms': '50' } };
    },
    async (server, options) => {
      const texts = await withSession({ ...options, retryPolicy: { ...options.retryPolicy, attempts: 1 } }, (session) =>
        askAll(session, calls(150)),
      );
      assert.ok([...texts.values()].every((text) => text.startsWith('echo')));
      const refusals = server.asked.length - 150;
      assert.ok(refusals >= 7);
      // Those that were on their way when it said so, at most.
      assert.ok(early <= refusals * 3, `${early} calls came too early`);
    },
  );
});

test('a question that is larger than the limit of a minute is refused at once', () =>
  withServer(
    () => ({}),
    async (server, options) => {
      await assert.rejects(
        withSession(options, (session) => session.ask(call('long '.repeat(2000)))),
        { exit: 'preflight', message: /a call takes about 2504 tokens, expected at most 1000, its limit a minute/ },
      );
      assert.equal(server.asked.length, 0);
    },
    { limits: { tokensPerMinute: 1000 } },
  ));

test('while nothing comes in the progress is shown all the same, with the share of refusals', () =>
  withServer(
    ({ number }) => (number === 1 ? { status: 429, headers: { 'retry-after-ms': '1300' } } : {}),
    async (_, options) => {
      const seen: CallsProgress[] = [];
      const progress = (each: CallsProgress) => void seen.push(each);
      await withSession({ ...options, progress }, async (session) => {
        session.expect(1);
        await session.ask(call('one'));
      });
      const inSilence = seen.filter(({ done, total, teachers }) => done === 0 && total === 1 && teachers[0]?.busy === 1);
      assert.ok(inSilence.length > 0);
      assert.deepEqual([seen.at(-1)?.done, seen.at(-1)?.teachers[0]?.busy], [1, 0.5]);
    },
  ));

test('a silence that no timer can hold is kept, not asked through', () => {
  const warnings: string[] = [];
  const heard = ({ name }: Error) => void warnings.push(name);
  process.on('warning', heard);
  const controller = new AbortController();
  return withServer(
    () => {
      setTimeout(() => controller.abort(), 50);
      return { status: 429, headers: { 'retry-after': 'Fri, 01 Jan 2100 00:00:00 GMT' } };
    },
    async (server, options) => {
      const asking = withSession({ ...options, signal: controller.signal }, (session) => askAll(session, calls(10)));
      await assert.rejects(asking, { exit: 'detached' });
      assert.ok(server.asked.length <= 4);
      process.off('warning', heard);
      assert.deepEqual(warnings, []);
    },
  );
});

test('a server that is busy and names a time that is none is left alone like one that names no time', () => {
  const controller = new AbortController();
  return withServer(
    () => ({ status: 429, headers: { 'retry-after': '0' } }),
    async (server, options) => {
      const retryPolicy = { ...options.retryPolicy, busyMs: 60_000, capMs: 60_000, silenceMs: 600_000 };
      const asking = withSession({ ...options, retryPolicy, signal: controller.signal }, (session) => askAll(session, calls(10)));
      setTimeout(() => controller.abort(), 150);
      await assert.rejects(asking, { exit: 'detached' });
      assert.ok(server.asked.length <= 4, `${server.asked.length} requests`);
    },
  );
});
