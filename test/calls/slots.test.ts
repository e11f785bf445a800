import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { CALL_RETRY_POLICY } from '../../src/calls/call-retry-policy.ts';
import { withSession } from '../../src/calls/run-calls.ts';
import { Servers } from '../../src/calls/servers.ts';
import { Slots, type SlotUser } from '../../src/calls/slots.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import { call } from '../rig/asking.ts';
import { startChatServer } from '../rig/chat-server.ts';

/** Somebody with so many calls waiting, each of which comes back when the test says so. */
function user(slots: Slots, waiting: number, waitMs = 0): SlotUser & { waiting: number; back(): void } {
  const own = {
    limits: {},
    waiting,
    inFlight: 0,
    clear: () => undefined,
    waitMs: () => (own.waiting === 0 ? undefined : waitMs),
    admit() {
      own.waiting -= 1;
      own.inFlight += 1;
    },
    back() {
      own.inFlight -= 1;
      slots.free();
    },
  };
  return own;
}

test('whoever holds the fewest slots gets the next one, so that slow calls leave quick ones their share', () => {
  const slots = new Slots();
  const slow = user(slots, 100);
  const quick = user(slots, 0);
  slots.join(slow, 8);
  slots.join(quick, 8);
  slots.pump();
  assert.deepEqual([slow.inFlight, quick.inFlight], [8, 0], 'nobody else wants them');
  quick.waiting = 100;
  for (let n = 0; n < 4; n += 1) slow.back();
  assert.deepEqual([slow.inFlight, quick.inFlight], [4, 4]);
  for (let n = 0; n < 30; n += 1) quick.back();
  assert.deepEqual([slow.inFlight, quick.inFlight], [4, 4]);
});

test('no slot stays free while anybody could use it, and none is given twice', () => {
  const step = fc.record({ who: fc.nat(3), comes: fc.boolean() });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 200 }), (most, steps) => {
      const slots = new Slots();
      const users = [0, 1, 2, 3].map(() => user(slots, 0));
      for (const each of users) slots.join(each, most);
      for (const { who, comes } of steps) {
        const one = users[who];
        if (one === undefined) continue;
        if (comes) {
          one.waiting += 1;
          slots.pump();
        } else if (one.inFlight > 0) one.back();
        const used = users.reduce((sum, each) => sum + each.inFlight, 0);
        const left = users.reduce((sum, each) => sum + each.waiting, 0);
        assert.ok(used <= most && (left === 0 || used === most));
      }
    }),
  );
});

test('while one waits for room under a limit that it shares, no other takes that room, and those of other limits go on', () => {
  const slots = new Slots();
  const limits = {};
  const large = { ...user(slots, 1), limits, waitMs: () => Number.POSITIVE_INFINITY };
  const small = user(slots, 5);
  const other = user(slots, 2);
  for (const each of [large, Object.assign(small, { limits }), other]) slots.join(each, 4);
  slots.pump();
  assert.deepEqual([small.inFlight, other.inFlight], [0, 2]);
});

test('a pool and a judge at one server have its slots together, and a judge that does not answer leaves the answers theirs', async () => {
  let now = 0;
  let most = 0;
  const answered = Promise.withResolvers<void>();
  const server = await startChatServer(({ body }) => {
    now += 1;
    most = Math.max(most, now);
    const isHeld = body.model === 'judge' && body.messages[0]?.content.startsWith('held') === true;
    const free = isHeld ? answered.promise : Promise.resolve();
    const after = free.finally(() => {
      now -= 1;
    });
    return { after };
  });
  const callLog = await mkdtemp(join(tmpdir(), 'zephyr-slots-'));
  const teacherOf = (model: string, concurrency: number) =>
    openTeacher(teacherSpec.parse({ provider: 'openai', model, baseUrl: server.url, concurrency }), 'key');
  const [pool, judge] = [teacherOf('pool', 6), teacherOf('judge', 8)];
  try {
    const teacher = async (id: string) => [id === 'judge' ? judge : pool];
    await withSession({ callLog, teacher, signal: new AbortController().signal }, async (session) => {
      const ask = (id: string, what: string, count: number) =>
        Promise.all(Array.from({ length: count }, (_, n) => session.ask({ ...call(`${what} ${n}`), teacher: id, model: id })));
      // Known to answer: of one that is not, few calls are sent.
      for (const id of ['pool', 'judge']) await ask(id, 'first', 20);
      const answers = ask('pool', 'answer', 60);
      const judgements = ask('judge', 'held', 60);
      assert.ok((await answers).every(({ ok }) => ok));
      answered.resolve();
      assert.ok((await judgements).every(({ ok }) => ok));
    });
    assert.ok(most <= 8, `${most} at once`);
  } finally {
    await server.close();
    await rm(callLog, { recursive: true });
  }
});

test('limits a minute are one for all teachers that are the same model at a server under the same key, the least that is said', () => {
  const servers = new Servers();
  const at = (model: string, baseUrl: string, secret: string, requestsPerMinute?: number) => {
    const limits = { requestsPerMinute, tokensPerMinute: undefined };
    return servers.at(openTeacher(teacherSpec.parse({ provider: 'openai', model, baseUrl, limits }), secret), CALL_RETRY_POLICY);
  };
  const pool = at('m', 'http://one.test/v1', 'key', 600);
  const judge = at('m', 'http://one.test/v1/', 'key', 240);
  assert.equal(judge.endpoint, pool.endpoint);
  assert.equal(pool.endpoint.requestLimit, 240);
  pool.endpoint.acquire(1, 1000);
  assert.equal(judge.endpoint.waitMs(1, 1000), 0, 'a burst of a quarter of a second');
  pool.endpoint.acquire(1, 1000);
  assert.ok(judge.endpoint.waitMs(1, 1000) > 0, 'what one has used is gone for the other');

  const others = [
    at('n', 'http://one.test/v1', 'key'),
    at('m', 'http://one.test/v1', 'other'),
    at('m', 'http://two.test/v1', 'key'),
  ];
  assert.ok(others.every(({ endpoint }) => endpoint !== pool.endpoint && endpoint.waitMs(1, 1000) === 0));
  assert.deepEqual(
    others.map(({ slots }) => slots === pool.slots),
    [true, false, false],
    'slots are of address and key, whatever the model',
  );
});
