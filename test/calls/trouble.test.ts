import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { callKey } from '../../src/calls/call.ts';
import { openCallLog } from '../../src/calls/call-log.ts';
import { withSession } from '../../src/calls/run-calls.ts';
import { askAll, call, calls, optionsFor, withServer } from '../rig/asking.ts';
import { startChatServer } from '../rig/chat-server.ts';

test('busy and failing answers are asked again, each until it is answered, and cost nothing twice', () => {
  const refused = new Map<string, number>();
  return withServer(
    ({ body }) => {
      const question = body.messages[0]?.content ?? '';
      const times = refused.get(question) ?? 0;
      refused.set(question, times + 1);
      const n = Number(question.slice(1));
      if (times < n % 3) return { status: 429, headers: { 'retry-after-ms': '5' } };
      return times === n % 3 && n % 7 === 0 ? { status: 503 } : {};
    },
    async (server, options) => {
      const texts = await withSession(options, (session) => askAll(session, calls(40)));
      assert.ok([...texts].every(([question, text]) => text === `echo: ${question}`));
      assert.equal(texts.size, 40);
      assert.ok([...server.billed.values()].every((times) => times === 1));
    },
  );
});

test('a call that is refused is not tried again while the others go on, and is asked again by the next session', () =>
  withServer(
    ({ body }) => (body.messages[0]?.content === 'q3' ? { status: 400 } : {}),
    async (server, options) => {
      for (let round = 0; round < 2; round += 1) {
        const texts = await withSession(options, (session) => askAll(session, calls(6)));
        assert.equal(texts.get('q3'), 'refused 400');
        assert.equal(texts.get('q5'), 'echo: q5');
        assert.equal(server.asked.length, 6 + round);
      }
    },
  ));

test('one call that always fails does not hold up the step, and is asked again by the next session', () => {
  const others = Promise.withResolvers<void>();
  return withServer(
    ({ number, body }) => {
      // four are in flight: others have been heard by then, so that the server is not taken to be away
      if (number === 10) others.resolve();
      return body.messages[0]?.content === 'q0' ? { status: 500, after: others.promise } : {};
    },
    async (_, options) => {
      const texts = await withSession(options, (session) => askAll(session, calls(60)));
      assert.equal(texts.get('q0'), 'again 500');
      assert.equal(texts.size, 60);
    },
  );
});

test('no money left stops admission, brings home what is in flight and says what to do', () =>
  withServer(
    ({ number }) =>
      number > 10 ? { status: 429, rawBody: '{"error":{"message":"no credit","code":"insufficient_quota"}}' } : { delayMs: 3 },
    async (server, options) => {
      await assert.rejects(
        withSession(options, (session) => askAll(session, calls(500))),
        { name: 'ZephyrError', exit: 'preflight', message: /Cannot ask teacher "m at .*no credit/, hint: /is kept/ },
      );
      assert.ok(server.asked.length <= 10 + 4, `${server.asked.length} requests`);
      const summary = await withSession(
        { ...options, teacher: () => Promise.reject(new Error('not needed')) },
        async (session) => {
          for (const one of calls(500).filter((each) => server.billed.has(each.messages[0]?.content ?? '')))
            await session.ask(one);
          return session.summary();
        },
      );
      assert.equal(summary.replayed, 10);
    },
  ));

test('a teacher out of reach is temporary, and nothing is lost', async () => {
  const server = await startChatServer();
  const options = await optionsFor(server);
  await withSession(options, (session) => askAll(session, calls(3)));
  await server.close();
  await assert.rejects(
    withSession(options, (session) => askAll(session, calls(6))),
    { exit: 'temporary', message: /Cannot reach teacher/, hint: /nothing was lost/ },
  );
});

test('a teacher that is only ever busy is out of reach after a while', () =>
  withServer(
    () => ({ status: 429, headers: { 'retry-after-ms': '30' } }),
    async (_, options) => {
      await assert.rejects(
        withSession(options, (session) => askAll(session, calls(3))),
        { exit: 'temporary' },
      );
    },
  ));

test('an answer that got lost on the way is found in the store and not bought twice', () => {
  const cut = new Set<string>();
  return withServer(
    ({ body }) => {
      const question = body.messages[0]?.content ?? '';
      if (cut.has(question) || cut.size >= 5) return {};
      cut.add(question);
      return { trouble: 'cut-body' };
    },
    async (server, options) => {
      const summary = await withSession(options, async (session) => {
        await askAll(session, calls(10));
        return session.summary();
      });
      assert.deepEqual([...server.billed.values()], Array(10).fill(1));
      assert.deepEqual([summary.recovered, summary.possibleDoubleSpend], [5, 0]);
    },
    { store: true },
  );
});

test('without a store a lost answer is asked again, and counted as possibly paid twice', () => {
  return withServer(
    ({ number }) => (number <= 2 ? { trouble: 'cut-body' } : {}),
    async (_, options) => {
      const summary = await withSession(options, async (session) => {
        await askAll(session, calls(6));
        return session.summary();
      });
      assert.deepEqual([summary.possibleDoubleSpend, summary.asked], [2, 6]);
    },
  );
});

test('a success that cannot be read is found in the store; without one it counts as possibly paid twice', async () => {
  for (const store of [true, false])
    await withServer(
      ({ number }) => (number <= 3 ? { rawBody: '{"choices":[{"mess' } : {}),
      async (server, options) => {
        const { recovered, possibleDoubleSpend } = await withSession(options, async (session) => {
          await askAll(session, calls(10));
          return session.summary();
        });
        const paid = [...server.billed.values()].reduce((sum, times) => sum + times, 0);
        assert.deepEqual([recovered, possibleDoubleSpend, paid], store ? [3, 0, 10] : [0, 3, 13]);
      },
      { store },
    );
});

test('where the recipe says that a server keeps answers and it does not, a lost one counts as possibly paid twice', async () => {
  const server = await startChatServer(({ number }) => (number <= 2 ? { trouble: 'cut-body' } : {}), { status: 404 });
  const options = await optionsFor(server, { store: true });
  const summary = await withSession(options, async (session) => {
    await askAll(session, calls(6));
    return session.summary();
  });
  await server.close();
  await rm(options.callLog, { recursive: true });
  assert.deepEqual([summary.recovered, summary.possibleDoubleSpend, summary.asked], [0, 2, 6]);
});

test('a call of a machine whose clock was ahead is looked for no longer than any other', () =>
  withServer(
    () => ({}),
    async (_, options) => {
      const log = await openCallLog(options.callLog);
      const [teacher] = await options.teacher('t');
      const at = Date.now() + 86_400_000;
      const k = callKey(call('q0'));
      await log.append({ t: 'intent', k, a: 1, at, est: null, model: 'm', teacher: teacher?.name ?? '' });
      await log.close();
      const texts = await withSession(options, (session) => askAll(session, calls(2)));
      assert.equal(texts.get('q0'), 'echo: q0');
    },
    { store: true },
  ));

test('a call that a clock an hour behind ours wrote down is waited for as long as any other, and not bought twice', () =>
  withServer(
    () => ({}),
    async (server, options) => {
      await withSession(options, (session) => askAll(session, calls(1)));
      const [opened] = await options.teacher('t');
      assert.ok(opened);
      let looks = 0;
      const recover: typeof opened.recover = async (...asked) => {
        looks += 1;
        // its answer is on its way to the store still
        return looks < 4 ? undefined : opened.recover(...asked);
      };
      const callLog = `${options.callLog}-later`;
      const log = await openCallLog(callLog);
      const at = Date.now() - 3_600_000;
      await log.append({ t: 'intent', k: callKey(call('q0')), a: 1, at, est: null, model: 'm', teacher: opened.name });
      await log.close();
      const teacher = { ...opened, settleMs: 60_000, recover };
      const later = { ...options, callLog, teacher: () => Promise.resolve([teacher]) };
      const texts = await withSession(later, (session) => askAll(session, calls(1)));
      await rm(callLog, { recursive: true });
      assert.equal(texts.get('q0'), 'echo: q0');
      assert.deepEqual([...server.billed.values()], [1]);
    },
    { store: true },
  ));

test('a user who turns away gets back what was in flight, and the rest is asked later', () => {
  const controller = new AbortController();
  return withServer(
    ({ number }) => {
      if (number === 6) controller.abort();
      return { delayMs: 10 };
    },
    async (server, options) => {
      await assert.rejects(
        withSession({ ...options, signal: controller.signal }, (session) => askAll(session, calls(50))),
        { exit: 'detached' },
      );
      const before = server.asked.length;
      assert.ok(before <= 10, `${before} requests`);
      const texts = await withSession(options, (session) => askAll(session, calls(50)));
      assert.equal(texts.size, 50);
      assert.equal(server.asked.length, 50);
    },
  );
});

test('a stalled call cannot hold up the end for longer than it is given', () => {
  const controller = new AbortController();
  return withServer(
    () => {
      setTimeout(() => controller.abort(), 20);
      return { trouble: 'stall' };
    },
    async (_, options) => {
      await assert.rejects(
        withSession({ ...options, signal: controller.signal, drainMs: 50 }, (session) => askAll(session, calls(2))),
        { exit: 'detached' },
      );
    },
    { timeoutSeconds: 200 },
  );
});
