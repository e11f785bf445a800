import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { callKey } from '../../src/calls/call.ts';
import { runCalls, withSession } from '../../src/calls/run-calls.ts';
import { askAll, call, calls, withServer } from '../rig/asking.ts';

test('the key of a call is that of its content: the teacher does not count, everything else does', () => {
  const one = call('q');
  assert.equal(callKey(one), callKey({ ...one, teacher: 'other' }));
  const others = [
    { ...one, purpose: 'x' },
    { ...one, model: 'x' },
    call('r'),
    { ...one, sampling: { ...one.sampling, seed: 1 } },
    { ...one, schema: { name: 's', schema: {} } },
  ];
  assert.equal(new Set([one, ...others].map(callKey)).size, 6);
});

test('a warm session makes no call, needs no teacher and gives the same answers', () =>
  withServer(
    () => ({}),
    async (server, options) => {
      const first = await withSession(options, (session) => askAll(session, calls(20)));
      assert.equal(server.asked.length, 20);
      const warm = { ...options, teacher: () => Promise.reject(new Error('no teacher is needed')) };
      const summary = await withSession(warm, async (session) => {
        assert.deepEqual([...(await askAll(session, calls(20)))].sort(), [...first].sort());
        return session.summary();
      });
      assert.deepEqual([summary.asked, summary.replayed, server.asked.length], [0, 20, 20]);
    },
  ));

test('more calls than before cost only the new ones', () =>
  withServer(
    () => ({}),
    async (server, options) => {
      await withSession(options, (session) => askAll(session, calls(5)));
      await withSession(options, (session) => askAll(session, calls(8)));
      assert.equal(server.asked.length, 8);
    },
  ));

test('two equal calls at once are one', () =>
  withServer(
    () => ({}),
    async (server, options) => {
      await withSession(options, async (session) => Promise.all([session.ask(call('same')), session.ask(call('same'))]));
      assert.equal(server.asked.length, 1);
    },
  ));

test('never more calls are in flight than the teacher allows, and calls are taken as they are needed', () => {
  let now = 0;
  let most = 0;
  let taken = 0;
  const script = () => {
    now += 1;
    most = Math.max(most, now);
    setTimeout(() => (now -= 1), 5);
    return { delayMs: 5 };
  };
  return withServer(script, async (server, options) => {
    function* endless() {
      for (const one of calls(700)) {
        taken += 1;
        if (taken - server.asked.length > 300) throw new Error('calls are piled up');
        yield one;
      }
    }
    await withSession(options, (session) => runCalls(session, endless()));
    assert.equal(taken, 700);
    assert.ok(most <= 4, `${most} at once`);
  });
});

test('dollars are counted when the price is known, over all sessions', () =>
  withServer(
    () => ({}),
    async (_, options) => {
      await withSession(options, (session) => askAll(session, calls(2)));
      let costUsd = 0;
      await withSession(
        {
          ...options,
          progress: (progress) => {
            costUsd = progress.costUsd;
          },
        },
        (session) => askAll(session, calls(4)),
      );
      assert.equal(costUsd.toFixed(8), ((4 * (10 * 1 + 5 * 2)) / 1e6).toFixed(8));
    },
    { price: { input: 1, output: 2, batch: 0.5, date: '2026-11-01', source: 'a test' } },
  ));

test('the call log is handed over in finished segments, during the work and at its end', () =>
  withServer(
    () => ({ delayMs: 4 }),
    async (_, options) => {
      const seen: string[][] = [];
      const flush = async () => {
        seen.push((await readdir(options.callLog)).filter((name) => name.endsWith('.jsonl')));
        await sleep(1);
      };
      await withSession({ ...options, flush, flushBound: { everyMs: 15 } }, (session) => askAll(session, calls(40)));
      assert.ok(seen.length >= 2);
      assert.equal(seen.at(-1)?.length, (await readdir(options.callLog)).length);
    },
  ));

test('a Hub that takes no callLog does not stop the calls', () =>
  withServer(
    () => ({}),
    async (_, options) => {
      const notes: string[] = [];
      await withSession(
        { ...options, flush: () => Promise.reject(new Error('Hub is away')), note: (note) => notes.push(note) },
        (session) => askAll(session, calls(3)),
      );
      assert.match(notes[0] ?? '', /Hub is away/);
    },
  ));

test('two sessions on one log at once lose nothing, and the next one has the answers of both', () =>
  withServer(
    () => ({ delayMs: 2 }),
    async (server, options) => {
      const [one, two] = await Promise.all([
        withSession(options, (session) => askAll(session, calls(40))),
        withSession(options, (session) => askAll(session, calls(60).slice(20))),
      ]);
      assert.deepEqual([one?.size, two?.size], [40, 40]);
      const before = server.asked.length;
      const summary = await withSession(options, async (session) => {
        await askAll(session, calls(60));
        return session.summary();
      });
      assert.deepEqual([summary.replayed, server.asked.length - before], [60, 0]);
    },
  ));

test('when half of the calls are refused the session stops, and asks them again the next time', () => {
  let wrong = true;
  return withServer(
    ({ number }) => (wrong && number % 3 !== 0 ? { status: 400 } : {}),
    async (server, options) => {
      await assert.rejects(
        withSession(options, (session) => askAll(session, calls(500))),
        {
          exit: 'preflight',
          message: /^Stopped asking teacher "t" for "test": \d+ of the last calls got no reply, the latest HTTP 400/,
        },
      );
      assert.ok(server.asked.length < 60, `${server.asked.length} calls`);
      wrong = false;
      const texts = await withSession(options, (session) => askAll(session, calls(500)));
      assert.ok([...texts.values()].every((text) => text.startsWith('echo')));
    },
  );
});
