import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { withSession } from '../../src/calls/run-calls.ts';
import { readReply } from '../../src/teachers/reply.ts';
import type { BatchLine } from '../../src/teachers/teacher.ts';
import { askAll, call, calls, optionsFor, withServer } from '../rig/asking.ts';
import { calls as batchCalls, batchTeacher, withBatches, withPractice } from '../rig/batching.ts';
import { startChatServer } from '../rig/chat-server.ts';

const price = { input: 1, output: 10, batch: 0.5, date: '2026-01-01', source: 'made up' };
const [rawBody = ''] = (JSON.parse(readFileSync('test/fixtures/cases/reasoning-tokens-cost.json', 'utf8')) as unknown[]).map(
  (each) => JSON.stringify(each),
);
/** Of the first reply: 50 tokens in, 2,020 out. */
const COST = 0.02025;

test('a cap holds at a server that bills reasoning outside of the completion, and what is shown is what it bills', () =>
  withServer(
    () => ({ rawBody, delayMs: 1 }),
    async (server, options) => {
      await assert.rejects(
        withSession({ ...options, budgetUsd: 0.5 }, (session) => askAll(session, calls(160))),
        { exit: 'preflight', message: `Stopped at the budget: spent $${(23 * COST).toFixed(2)} of $0.50` },
      );
      assert.equal(server.asked.length, 23);
      const summary = await withSession(options, (session) => Promise.resolve(session.summary()));
      assert.equal(summary.spentUsd.toFixed(6), (23 * COST).toFixed(6));
    },
    { price, concurrency: 64 },
  ));

test('teachers with reasoning of any length share a cap, which no more than the calls that probed them exceed', async () => {
  const bill = { usd: 0 };
  const lengths = [0, 300, 3000, 900, 2000, 100];
  const servers = await Promise.all(
    [0, 1, 2].map((shift) =>
      startChatServer(({ number }) => {
        const reasoning = lengths[(number + shift) % lengths.length] as number;
        bill.usd += (50 * price.input + (5 + reasoning) * price.output) / 1e6;
        const usage = { prompt_tokens: 50, completion_tokens: 5, total_tokens: 55 + reasoning };
        return { rawBody: JSON.stringify({ choices: [{ message: { content: 'yes' }, finish_reason: 'stop' }], usage }) };
      }),
    ),
  );
  const all = await Promise.all(servers.map((server) => optionsFor(server, { price, concurrency: 64 })));
  const teachers = await Promise.all(all.map((each) => each.teacher('t')));
  const options = { ...all[0], teacher: (id: string) => Promise.resolve(teachers[Number(id)]), budgetUsd: 1 } as (typeof all)[0];
  const questions = calls(300).map((each, at) => ({ ...each, teacher: `${at % 3}`, model: `m${at % 3}` }));
  await assert.rejects(
    withSession(options, (session) => askAll(session, questions)),
    /Stopped at the budget/,
  );
  await Promise.all(servers.map((server) => server.close()));
  assert.ok(bill.usd <= 1, `billed ${bill.usd}`);
  assert.ok(bill.usd > 0.8, `billed ${bill.usd}`);
});

test('a recipe that says how much reasoning is billed at most has its calls sent at once, and never more than the cap', () =>
  withServer(
    () => ({ rawBody, delayMs: 20 }),
    async (server, options) => {
      await assert.rejects(
        withSession({ ...options, budgetUsd: 0.1 }, (session) => askAll(session, calls(64))),
        /Stopped at the budget/,
      );
      assert.equal(server.asked.length, 4);
    },
    { price, concurrency: 64, reasoningTokens: 2020 },
  ));

test('a server that never says what its replies take is taken to bill all that they may', () =>
  withServer(
    () => ({ rawBody: JSON.stringify({ choices: [{ message: { content: 'yes' }, finish_reason: 'stop' }] }) }),
    async (server, options) => {
      const long = calls(100).map((each) => ({ ...each, sampling: { ...each.sampling, max_tokens: 1000 } }));
      await assert.rejects(
        withSession({ ...options, budgetUsd: 0.105 }, (session) => askAll(session, long)),
        /Stopped at the budget/,
      );
      assert.equal(server.asked.length, 10);
    },
    { price },
  ));

test('without a cap as many calls go out at once as ever', () => {
  const both = Promise.withResolvers<void>();
  return withServer(
    ({ number }) => {
      if (number === 4) both.resolve();
      return { rawBody, after: both.promise };
    },
    async (server, options) => {
      await withSession(options, (session) => askAll(session, [call('a'), call('b'), call('c'), call('d')]));
      assert.equal(server.asked.length, 4);
    },
    { price },
  );
});

test('a cap holds for batches at such a server, of which the first one probes it', () =>
  withPractice('', async ({ callLog, server }) => {
    let bill = 0;
    /** 2,000 tokens of thought that are in the total alone. */
    const thinking = (line: BatchLine): BatchLine => {
      if (line.customId === undefined || !line.answer.ok) return line;
      const raw = structuredClone(line.answer.reply.raw) as { usage: Record<string, number> };
      const { prompt_tokens = 0, completion_tokens = 0 } = raw.usage;
      raw.usage.total_tokens = prompt_tokens + completion_tokens + 2000;
      bill += (prompt_tokens * price.input + (completion_tokens + 2000) * price.output) * price.batch * 1e-6;
      return { ...line, answer: { ok: true, reply: readReply(raw, undefined) ?? line.answer.reply } };
    };
    const teacher = withBatches(batchTeacher(server.url, { requests: 100 }), (batch) => ({
      read: (file, take, signal) => batch.read(file, (lines) => take(lines.map(thinking)), signal),
    }));
    const notes: string[] = [];
    const options = { callLog, teacher: () => Promise.resolve([teacher]), note: (text: string) => notes.push(text) };
    const session = { signal: new AbortController().signal, ...options, retryPolicy: { gatherMs: 20, lookMs: 20 } };
    await assert.rejects(
      withSession({ ...session, budgetUsd: 0.5 }, (opened) => askAll(opened, batchCalls(160))),
      /Stopped at the budget/,
    );
    assert.ok(bill <= 0.5, `billed ${bill}`);
    assert.ok(bill > 0.4, `billed ${bill}`);
    assert.match(notes.join('\n'), /is first asked 16 calls of each kind/);
    const summary = await withSession(session, (opened) => Promise.resolve(opened.summary()));
    assert.equal(summary.spentUsd.toFixed(6), bill.toFixed(6));
  }));
