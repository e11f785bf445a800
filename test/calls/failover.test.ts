import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withSession } from '../../src/calls/run-calls.ts';
import { askAll, calls } from '../rig/asking.ts';
import { withServers } from '../rig/two-servers.ts';

const noCredit = { status: 429, rawBody: '{"error":{"message":"no credit","code":"insufficient_quota"}}' };

test('when the account of a server is empty the next one takes over, and keys stay the same', () => {
  let empty = false;
  return withServers([() => (empty ? noCredit : {}), () => ({})], async ([first, second], options) => {
    await withSession(options, (session) => askAll(session, calls(10)));
    empty = true;
    const texts = await withSession(options, (session) => askAll(session, calls(30)));
    assert.deepEqual(
      [...texts.values()].sort(),
      calls(30)
        .map((_, n) => `echo: q${n}`)
        .sort(),
    );
    assert.equal(first?.billed.size, 10, 'what the first had answered was not asked again');
    assert.equal(second?.billed.size, 20);
    assert.ok((first?.asked.length ?? 0) <= 10 + 4, `${first?.asked.length} requests to the first`);
    const before = second?.asked.length;
    await withSession(options, (session) => askAll(session, calls(30)));
    assert.equal(second?.asked.length, before, 'a warm session asks nobody');
  });
});

test('a server that fails again and again is left alone for the next one, and used again when it is back', () => {
  let down = true;
  return withServers(
    [
      () => (down ? { status: 503 } : {}),
      ({ number }) => {
        if (number === 30) down = false;
        return { delayMs: 3 };
      },
    ],
    async ([first, second], options) => {
      const retryPolicy = { ...options.retryPolicy, breakAfter: 5 };
      const texts = await withSession({ ...options, retryPolicy }, (session) => askAll(session, calls(400)));
      assert.ok([...texts].every(([question, text]) => text === `echo: ${question}`));
      assert.equal(texts.size, 400);
      assert.equal((first?.billed.size ?? 0) + (second?.billed.size ?? 0), 400);
      assert.ok((second?.billed.size ?? 0) >= 30 && (first?.billed.size ?? 0) > 0);
    },
  );
});

test('a call that one server never answers is answered by the next one, the others stay where they are', () =>
  withServers(
    [({ body }) => (body.messages[0]?.content === 'q0' ? { status: 500 } : {}), () => ({})],
    async ([, second], options) => {
      const texts = await withSession(options, (session) => askAll(session, calls(60)));
      assert.equal(texts.get('q0'), 'echo: q0');
      assert.deepEqual([...(second?.billed.keys() ?? [])], ['q0']);
    },
  ));

test('when no server is left the error names each with its reason', () =>
  withServers([() => noCredit, () => ({ status: 401 })], (_, options) =>
    assert.rejects(
      withSession(options, (session) => askAll(session, calls(10))),
      { exit: 'preflight', message: /Cannot ask teacher "m at http.*": HTTP 429: no credit; "m at http.*": HTTP 401/ },
    ),
  ));

test('when one is refused and the other out of reach, trying again later may help', () =>
  withServers([() => noCredit, () => ({ status: 502 })], (_, options) =>
    assert.rejects(
      withSession(options, (session) => askAll(session, calls(10))),
      { exit: 'temporary', message: /Cannot reach teacher ".*no credit; ".*": HTTP 502/ },
    ),
  ));

test('an answer lost on the way is looked for where it was asked, before another server is', () => {
  const broken = new Set<string>();
  return withServers(
    [
      ({ body }) => {
        broken.add(body.messages[0]?.content ?? '');
        return { trouble: 'cut-body' };
      },
      () => ({}),
    ],
    async ([first, second], options) => {
      const retryPolicy = { ...options.retryPolicy, breakAfter: 3 };
      const summary = await withSession({ ...options, retryPolicy }, async (session) => {
        await askAll(session, calls(30));
        return session.summary();
      });
      const times = calls(30).map((_, n) => (first?.billed.get(`q${n}`) ?? 0) + (second?.billed.get(`q${n}`) ?? 0));
      assert.deepEqual(times, Array(30).fill(1), 'nothing was paid twice');
      assert.deepEqual([summary.recovered, summary.possibleDoubleSpend], [first?.billed.size, 0]);
    },
    { store: true },
  );
});

test('while a server asks for a long silence the next one is asked, and a word is said about it', () => {
  const notes: string[] = [];
  return withServers(
    [() => ({ status: 429, headers: { 'retry-after': '3000' } }), () => ({})],
    async ([first, second], options) => {
      const note = (message: string) => void notes.push(message);
      const texts = await withSession({ ...options, note }, (session) => askAll(session, calls(40)));
      assert.equal(texts.size, 40);
      assert.equal(second?.billed.size, 40);
      assert.ok((first?.asked.length ?? 9) <= 4);
      assert.deepEqual(notes, [
        `"m at ${first?.url}" is busy and takes no call for 50 min`,
        `"m at ${first?.url}" does not take calls for now; they go to "m at ${second?.url}"`,
      ]);
    },
  );
});

test('after a restart an unknown call is looked for at the server that its intent names', () => {
  let firstIsDown = true;
  const controller = new AbortController();
  return withServers(
    [
      () => (firstIsDown ? { status: 503 } : {}),
      ({ number }) => {
        if (number === 4) controller.abort();
        return { delayMs: 60 };
      },
    ],
    async ([first, second], options) => {
      const retryPolicy = { ...options.retryPolicy, breakAfter: 2 };
      const stopped = { ...options, retryPolicy, signal: controller.signal, drainMs: 1 };
      await assert.rejects(
        withSession(stopped, (session) => askAll(session, calls(20))),
        { exit: 'detached' },
      );
      firstIsDown = false;
      await withSession({ ...options, retryPolicy }, (session) => askAll(session, calls(20)));
      const times = calls(20).map((_, n) => (first?.billed.get(`q${n}`) ?? 0) + (second?.billed.get(`q${n}`) ?? 0));
      assert.deepEqual(times, Array(20).fill(1));
    },
    { store: true },
  );
});

test('calls that wait at a server which asked for a day of silence go elsewhere when another is back', () => {
  let down = true;
  return withServers(
    [
      () => ({ status: 429, headers: { 'retry-after': '86400' } }),
      ({ number }) => {
        if (number === 6) down = false;
        return down ? { status: 503 } : {};
      },
    ],
    async ([, second], options) => {
      const retryPolicy = { ...options.retryPolicy, attempts: 100, callMs: 60_000, silenceMs: 60_000, breakAfter: 3 };
      await withSession({ ...options, retryPolicy }, (session) => Promise.all(calls(40).map((each) => session.ask(each))));
      assert.equal(second?.billed.size, 40);
    },
  );
});

test('a call lost at a server that cannot be asked any more goes to the next one, and may have been paid twice', () => {
  const controller = new AbortController();
  return withServers(
    [
      ({ number }) => {
        // four are in flight: those before have been heard
        if (number === 7) controller.abort();
        return number > 3 ? { trouble: 'stall' } : {};
      },
      () => ({}),
    ],
    async ([first, second], options) => {
      const stopped = { ...options, signal: controller.signal, drainMs: 1 };
      await assert.rejects(
        withSession(stopped, (session) => askAll(session, calls(10))),
        { exit: 'detached' },
      );
      await first?.close();
      // However slow this machine is, the looks that fail are counted before the server is taken to be away.
      const patient = { ...options, retryPolicy: { ...options.retryPolicy, awayMs: 20_000 } };
      const summary = await withSession(patient, async (session) => {
        await askAll(session, calls(10));
        return session.summary();
      });
      assert.deepEqual([summary.replayed, summary.possibleDoubleSpend, second?.billed.size], [3, 4, 7]);
    },
    { store: true },
  );
});
