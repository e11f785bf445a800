import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withSession } from '../../src/calls/run-calls.ts';
import { Servers } from '../../src/calls/servers.ts';
import type { SessionOptions } from '../../src/calls/session.ts';
import { ServerAway } from '../../src/calls/shutdown.ts';
import type { CallsProgress } from '../../src/model/event.ts';
import { askAll, call, calls, withServer } from '../rig/asking.ts';
import type { Asked, Doing } from '../rig/chat-server.ts';
import { withServers } from '../rig/two-servers.ts';

const isAway = (error: unknown) =>
  error instanceof ServerAway && /^Cannot reach teacher "m at http/.test(error.message) && error.exit === 'temporary';

/** Options whose teacher `other` is the second server, and every other one the first. */
async function apart(options: SessionOptions): Promise<SessionOptions> {
  const [first, second] = await options.teacher('t');
  assert.ok(first !== undefined && second !== undefined);
  return { ...options, teacher: async (id) => [id === 'other' ? second : first] };
}
const other = (question: string) => ({ ...call(question), teacher: 'other' });

test('a server that is away ends the calls to it, and no others', () =>
  withServers([() => ({}), () => ({ status: 503 })], async ([first], options) => {
    await withSession(await apart(options), async (session) => {
      const lost = session.ask(other('lost'));
      await assert.rejects(lost, isAway);
      const texts = await askAll(session, calls(10));
      assert.ok([...texts.values()].every((text) => text.startsWith('echo')));
    });
    assert.equal(first?.billed.size, 10);
  }));

test('a server that goes away and comes back costs nothing but time, even with one call in hand', () => {
  let down = 0;
  return withServer(
    ({ number }) => {
      // away from its third request on, for longer than one call is asked in a row
      if (number === 3) down = 12;
      down -= 1;
      return down >= 0 ? { status: 502 } : {};
    },
    async (server, options) => {
      const retryPolicy = { ...options.retryPolicy, awayMs: 600_000 };
      await withSession({ ...options, retryPolicy }, async (session) => {
        for (const each of calls(6)) assert.ok((await session.ask(each)).ok);
      });
      assert.deepEqual([...server.billed.values()], Array(6).fill(1));
    },
  );
});

const TROUBLES: readonly (readonly [string, Doing])[] = [
  ['refuses', { status: 503 }],
  ['breaks every connection', { trouble: 'cut' }],
  ['accepts and never answers', { trouble: 'stall' }],
  ['hangs in the middle of an answer', { trouble: 'stall-body' }],
];
for (const [name, trouble] of TROUBLES)
  test(`a server that ${name} after its first answers ends a session as temporary, and what it answered is kept`, () => {
    let seen: CallsProgress | undefined;
    return withServer(
      ({ number }) => (number <= 2 ? {} : trouble),
      async (server, options) => {
        const progress = (each: CallsProgress) => {
          if (each.teachers.some(({ waitsFor }) => waitsFor !== undefined)) seen = each;
        };
        const retryPolicy = { ...options.retryPolicy, awayMs: 3600, breakMostMs: 200 };
        await assert.rejects(
          withSession({ ...options, retryPolicy, progress }, (session) => askAll(session, calls(8))),
          isAway,
        );
        const waited = seen?.teachers[0]?.waitsFor;
        assert.equal(waited?.server, server.url, 'the progress says who is waited for');
        assert.ok((waited?.seconds ?? 0) >= 3 && waited?.why !== '');
        const summary = await withSession(options, async (session) => {
          await session.ask(call('q0'));
          return session.summary();
        });
        assert.equal(summary.replayed, 1);
      },
      { timeoutSeconds: 0.4 },
    );
  });

test("of servers that can take each other's place one may be away for ever, and nobody waits for it", () =>
  withServers([() => ({ trouble: 'cut' }), () => ({})], async ([, second], options) => {
    let waited = 0;
    const progress = ({ teachers }: CallsProgress) => {
      if (teachers.some(({ waitsFor }) => waitsFor !== undefined)) waited += 1;
    };
    const retryPolicy = { ...options.retryPolicy, breakAfter: 2 };
    const texts = await withSession({ ...options, retryPolicy, progress }, (session) => askAll(session, calls(40)));
    assert.equal(texts.size, 40);
    assert.deepEqual([second?.billed.size, waited], [40, 0]);
  }));

test('what is known of a server outlives a session: one that has answered is given its time in the next, too', () => {
  let isDown = false;
  return withServer(
    () => (isDown ? { status: 503 } : {}),
    async (_, options) => {
      const shared = {
        ...options,
        servers: new Servers(),
        retryPolicy: { ...options.retryPolicy, unseenMs: 1, awayMs: 600_000 },
      };
      await withSession(shared, (session) => askAll(session, calls(1)));
      isDown = true;
      await withSession(shared, async (session) => {
        const answer = session.ask(call('later'));
        const early = await Promise.race([answer.catch(() => 'given up'), new Promise((resolve) => setTimeout(resolve, 150))]);
        assert.equal(early, undefined);
        isDown = false;
        assert.ok((await answer).ok);
      });
    },
  );
});

test('calls that are made in advance keep no session open, and those on their way come home', () => {
  const asked: Asked[] = [];
  const both = Promise.withResolvers<void>();
  return withServer(
    (each) => {
      asked.push(each);
      if (asked.length === 4) both.resolve();
      return { delayMs: 30 };
    },
    async (server, options) => {
      await withSession(options, async (session) => {
        for (const each of calls(400)) session.ask(each, { prefetch: true }).catch(() => undefined);
        await both.promise;
      });
      assert.ok(server.asked.length < 40, `${server.asked.length} requests`);
      const { replayed } = await withSession(options, async (session) => {
        await askAll(
          session,
          calls(400).filter((each) => server.billed.has(each.messages[0]?.content ?? '')),
        );
        return session.summary();
      });
      assert.equal(replayed, server.billed.size, 'what was answered at the end is in the log');
    },
  );
});

test('a server that is away while it is asked in advance is told of once, and keeps no session open', () =>
  withServers([() => ({}), () => ({ status: 503 })], async (_, options) => {
    const notes: string[] = [];
    await withSession({ ...(await apart(options)), note: (message) => notes.push(message) }, async (session) => {
      const ahead = Array.from({ length: 30 }, (_, n) => session.ask(other(`ahead ${n}`), { prefetch: true }));
      const texts = await askAll(session, calls(30));
      assert.equal(texts.size, 30);
      await Promise.allSettled(ahead.slice(0, 1));
    });
    assert.deepEqual(
      notes.map((note) => note.replace(/http\S+"/, 'X"')),
      ['Cannot reach teacher "m at X": HTTP 503: scripted 503; it is asked again when its step comes'],
    );
  }));
