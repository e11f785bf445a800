import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { withSession } from '../../src/calls/run-calls.ts';
import { askAll, call, calls, withServer } from '../rig/asking.ts';

const price = { input: 1000, output: 2000, batch: 0.5, date: '2026-11-01', source: 'a test' };
/** Of the scripted server: 10 tokens in, 5 out. */
const COST = (10 * price.input + 5 * price.output) / 1e6;

test('at the budget nothing more is sent, what is in flight comes home, and the error says what is left', () =>
  withServer(
    () => ({ delayMs: 2 }),
    async (server, options) => {
      const budgetUsd = 20.5 * COST;
      await assert.rejects(
        withSession({ ...options, budgetUsd }, async (session) => {
          session.expect(100);
          await askAll(session, calls(100));
        }),
        {
          exit: 'preflight',
          message: /^Stopped at the budget: spent \$0\.\d+ of \$0\.41; about \d+ calls for \$1\.\d+ are left$/,
        },
      );
      assert.ok(server.asked.length <= 20 && server.asked.length >= 15, `${server.asked.length} of 20 calls`);
      const summary = await withSession({ ...options, budgetUsd: 200 }, async (session) => {
        await askAll(session, calls(100));
        return session.summary();
      });
      assert.equal(server.asked.length, 100);
      assert.equal(summary.spentUsd.toFixed(6), (100 * COST).toFixed(6));
    },
    { price },
  ));

test('a budget is never exceeded, whatever prices and usage', () =>
  fc.assert(
    fc.asyncProperty(
      fc.record({
        input: fc.integer({ min: 0, max: 5000 }),
        output: fc.integer({ min: 0, max: 5000 }),
        cap: fc.integer({ min: 1, max: 40 }),
      }),
      fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 20 }),
      ({ input, output, cap }, outputs) => {
        let billed = 0;
        return withServer(
          ({ number }) => {
            const completion_tokens = outputs[number % outputs.length] as number;
            billed += (10 * input + completion_tokens * output) / 1e6;
            const usage = { prompt_tokens: 10, completion_tokens };
            return { rawBody: JSON.stringify({ choices: [{ message: { content: 'yes' }, finish_reason: 'stop' }], usage }) };
          },
          async (_, options) => {
            const budgetUsd = cap / 100;
            await withSession({ ...options, budgetUsd }, (session) => askAll(session, calls(40))).catch((error: unknown) => {
              assert.match(String(error), /Stopped at the budget/);
            });
            assert.ok(billed <= budgetUsd + 1e-9, `${billed} of ${budgetUsd}`);
          },
          { price: { ...price, input, output } },
        );
      },
    ),
    { numRuns: 25 },
  ));

test('a teacher without a price cannot be asked under a budget', () =>
  withServer(
    () => ({}),
    async (server, options) => {
      await assert.rejects(
        withSession({ ...options, budgetUsd: 1 }, (session) => session.ask(call('q'))),
        { exit: 'usage', message: /Cannot keep to the budget of \$1\.00: teacher "m at .*" has no price/ },
      );
      assert.equal(server.asked.length, 0);
    },
  ));

test('calls asked in advance cost nothing until they are asked in earnest, and are then replayed', () =>
  withServer(
    () => ({}),
    async (server, options) => {
      const first = await withSession(options, async (session) => {
        const ahead = calls(7).map((each) => session.ask({ ...each, purpose: 'later' }, { prefetch: true }));
        await askAll(session, calls(3));
        await Promise.all(ahead);
        return session.summary();
      });
      assert.deepEqual([first.asked, first.replayed, first.prefetch], [3, 0, 7]);
      assert.deepEqual([first.costUsd.toFixed(4), first.spentUsd.toFixed(4)], [(3 * COST).toFixed(4), (10 * COST).toFixed(4)]);
      const second = await withSession(options, async (session) => {
        await askAll(
          session,
          calls(7).map((each) => ({ ...each, purpose: 'later' })),
        );
        return session.summary();
      });
      assert.deepEqual([second.asked, second.replayed, second.prefetch, second.promptTokens], [0, 7, 0, 70]);
      assert.equal(second.costUsd.toFixed(4), (7 * COST).toFixed(4));
      assert.equal(server.asked.length, 10);
    },
    { price },
  ));

test('what an earlier run paid is replayed and costed, but not spent by this one', () =>
  withServer(
    () => ({}),
    async (server, options) => {
      await withSession(options, (session) => askAll(session, calls(5)));
      const callLog = await mkdtemp(join(tmpdir(), 'zephyr-later-'));
      const summary = await withSession(
        { ...options, callLog, earlier: [options.callLog], budgetUsd: 5 * COST },
        async (session) => {
          await askAll(session, calls(8));
          return session.summary();
        },
      );
      assert.deepEqual([summary.asked, summary.replayed, server.asked.length], [3, 5, 8]);
      assert.deepEqual([summary.costUsd.toFixed(4), summary.spentUsd.toFixed(4)], [(8 * COST).toFixed(4), (3 * COST).toFixed(4)]);
      await rm(callLog, { recursive: true });
    },
    { price },
  ));

test('a call counts once in the cost, however often it is asked and read', () =>
  withServer(
    () => ({ delayMs: 5 }),
    async (_, options) => {
      const summary = await withSession(options, async (session) => {
        const outcomes = await Promise.all([session.ask(call('q')), session.ask(call('q'))]);
        await session.ask(call('q'));
        await session.read(outcomes[0]?.key ?? '');
        return session.summary();
      });
      assert.deepEqual([summary.asked, summary.replayed, summary.costUsd.toFixed(6)], [1, 2, COST.toFixed(6)]);
    },
    { price },
  ));

test('a reply that does not say what it took is counted by estimate, and costs all that it may have', () =>
  withServer(
    () => ({ rawBody: JSON.stringify({ choices: [{ message: { content: 'x'.repeat(40) }, finish_reason: 'stop' }] }) }),
    async (_, options) => {
      const summary = await withSession(options, async (session) => {
        await session.ask(call('a question of forty-eight characters, about tea..'));
        return session.summary();
      });
      assert.deepEqual([summary.promptTokens, summary.completionTokens], [17, 10]);
      assert.ok(summary.costUsd >= (48 * price.input + 10 * price.output) / 1e6, `${summary.costUsd}`);
    },
    { price },
  ));
