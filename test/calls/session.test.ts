import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Call, callKey } from '../../src/calls/call.ts';
import { runCalls, withSession } from '../../src/calls/run-calls.ts';
import type { CallSession, SessionOptions } from '../../src/calls/session.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { type TeacherSpec, teacherSpec } from '../../src/teachers/spec.ts';
import { type Asked, type ChatServer, type Doing, startChatServer } from '../rig/chat-server.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-session-'));
after(() => rm(root, { recursive: true }));
let folders = 0;
const newFolder = () => join(root, String((folders += 1)));
const PATIENCE = { attempts: 4, baseMs: 2, capMs: 20, silenceMs: 200, lookMs: 20 };

const call = (question: string): Call => ({ teacher: 't', purpose: 'test', model: 'm', messages: [{ role: 'user', content: question }], sampling: { temperature: 0, top_p: 1, max_tokens: 8 } });
const calls = (count: number) => Array.from({ length: count }, (_, n) => call(`q${n}`));

async function withServer(script: (asked: Asked) => Doing, use: (server: ChatServer, options: SessionOptions) => Promise<void>, spec: Partial<TeacherSpec> = {}): Promise<void> {
  const server = await startChatServer(script);
  try {
    await use(server, optionsFor(server, spec));
  } finally {
    await server.close();
  }
}
function optionsFor(server: ChatServer, spec: Partial<TeacherSpec> = {}): SessionOptions {
  const teacher = openTeacher(teacherSpec.parse({ provider: 'openai', model: 'm', baseUrl: server.url, concurrency: 4, timeoutSeconds: 0.5, ...spec }), 'key');
  return { journal: newFolder(), teacher: () => Promise.resolve(teacher), signal: new AbortController().signal, patience: PATIENCE, drainMs: 300 };
}
async function askAll(session: CallSession, list: Iterable<Call>): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  await runCalls(session, list, (asked, outcome) => void texts.set(asked.messages[0]?.content ?? '', outcome.ok ? outcome.reply.text : `${outcome.failure.kind} ${outcome.failure.status}`));
  return texts;
}

test('the key of a call is that of its content: the teacher does not count, everything else does', () => {
  const one = call('q');
  assert.equal(callKey(one), callKey({ ...one, teacher: 'other' }));
  const others = [{ ...one, purpose: 'x' }, { ...one, model: 'x' }, call('r'), { ...one, sampling: { ...one.sampling, seed: 1 } }, { ...one, schema: { name: 's', schema: {} } }];
  assert.equal(new Set([one, ...others].map(callKey)).size, 6);
});

test('a warm session makes no call, needs no teacher and gives the same answers', () =>
  withServer(() => ({}), async (server, options) => {
    const first = await withSession(options, (session) => askAll(session, calls(20)));
    assert.equal(server.asked.length, 20);
    const warm = { ...options, teacher: () => Promise.reject(new Error('no teacher is needed')) };
    const summary = await withSession(warm, async (session) => {
      assert.deepEqual([...(await askAll(session, calls(20)))].sort(), [...first].sort());
      return session.summary();
    });
    assert.deepEqual([summary.asked, summary.replayed, server.asked.length], [0, 20, 20]);
  }));

test('more calls than before cost only the new ones', () =>
  withServer(() => ({}), async (server, options) => {
    await withSession(options, (session) => askAll(session, calls(5)));
    await withSession(options, (session) => askAll(session, calls(8)));
    assert.equal(server.asked.length, 8);
  }));

test('two equal calls at once are one', () =>
  withServer(() => ({}), async (server, options) => {
    await withSession(options, async (session) => Promise.all([session.ask(call('same')), session.ask(call('same'))]));
    assert.equal(server.asked.length, 1);
  }));

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

test('busy and failing answers are asked again, each until it is answered, and cost nothing twice', () =>
  withServer(
    ({ number }) => (number % 3 === 0 ? { status: 429, headers: { 'retry-after-ms': '5' } } : number % 7 === 0 ? { status: 503 } : {}),
    async (server, options) => {
      const texts = await withSession(options, (session) => askAll(session, calls(40)));
      assert.ok([...texts].every(([question, text]) => text === `echo: ${question}`));
      assert.equal(texts.size, 40);
      assert.ok([...server.billed.values()].every((times) => times === 1));
    },
  ));

test('a call that is refused for good is recorded and not asked again, the others go on', () =>
  withServer(
    ({ body }) => (body.messages[0]?.content === 'q3' ? { status: 400 } : {}),
    async (server, options) => {
      for (let round = 0; round < 2; round += 1) {
        const texts = await withSession(options, (session) => askAll(session, calls(6)));
        assert.equal(texts.get('q3'), 'final 400');
        assert.equal(texts.get('q5'), 'echo: q5');
      }
      assert.equal(server.asked.length, 6);
    },
  ));

test('one call that always fails does not hold up the step, and is asked again by the next session', () =>
  withServer(
    ({ body }) => (body.messages[0]?.content === 'q0' ? { status: 500 } : { delayMs: 1 }),
    async (_, options) => {
      const texts = await withSession(options, (session) => askAll(session, calls(60)));
      assert.equal(texts.get('q0'), 'again 500');
      assert.equal(texts.size, 60);
    },
  ));

test('no money left stops admission, brings home what is in flight and says what to do', () =>
  withServer(
    ({ number }) => (number > 10 ? { status: 429, rawBody: '{"error":{"message":"no credit","code":"insufficient_quota"}}' } : { delayMs: 3 }),
    async (server, options) => {
      await assert.rejects(withSession(options, (session) => askAll(session, calls(500))), { name: 'ZephyrError', exit: 'preflight', message: /Cannot ask teacher "m at .*no credit/, hint: /zephyr resume/ });
      assert.ok(server.asked.length <= 10 + 4, `${server.asked.length} requests`);
      const summary = await withSession({ ...options, teacher: () => Promise.reject(new Error('not needed')) }, async (session) => {
        for (const one of calls(500).filter((each) => server.billed.has(each.messages[0]?.content ?? ''))) await session.ask(one);
        return session.summary();
      });
      assert.equal(summary.replayed, 10);
    },
  ));

test('a teacher out of reach is temporary, and nothing is lost', async () => {
  const server = await startChatServer();
  const options = optionsFor(server);
  await withSession(options, (session) => askAll(session, calls(3)));
  await server.close();
  await assert.rejects(withSession(options, (session) => askAll(session, calls(6))), { exit: 'temporary', message: /Cannot reach teacher/, hint: /Nothing was lost/ });
});

test('a teacher that is only ever busy is out of reach after a while', () =>
  withServer(() => ({ status: 429, headers: { 'retry-after-ms': '30' } }), async (_, options) => {
    await assert.rejects(withSession(options, (session) => askAll(session, calls(3))), { exit: 'temporary' });
  }));

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
  let cut = 0;
  return withServer(
    () => ((cut += 1) <= 2 ? { trouble: 'cut-body' } : {}),
    async (_, options) => {
      const summary = await withSession(options, async (session) => {
        await askAll(session, calls(6));
        return session.summary();
      });
      assert.deepEqual([summary.possibleDoubleSpend, summary.asked], [2, 6]);
    },
  );
});

test('a user who turns away gets back what was in flight, and the rest is asked later', () => {
  const controller = new AbortController();
  return withServer(
    ({ number }) => {
      if (number === 6) controller.abort();
      return { delayMs: 10 };
    },
    async (server, options) => {
      await assert.rejects(withSession({ ...options, signal: controller.signal }, (session) => askAll(session, calls(50))), { exit: 'detached' });
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
      await assert.rejects(withSession({ ...options, signal: controller.signal, drainMs: 50 }, (session) => askAll(session, calls(2))), { exit: 'detached' });
    },
    { timeoutSeconds: 200 },
  );
});

test('dollars are counted when the price is known, over all sessions', () =>
  withServer(
    () => ({}),
    async (_, options) => {
      await withSession(options, (session) => askAll(session, calls(2)));
      let costUsd = 0;
      await withSession({ ...options, progress: (progress) => (costUsd = progress.costUsd) }, (session) => askAll(session, calls(4)));
      assert.equal(costUsd.toFixed(8), ((4 * (10 * 1 + 5 * 2)) / 1e6).toFixed(8));
    },
    { price: { input: 1, output: 2 } },
  ));

test('the journal is handed over in finished segments, during the work and at its end', () =>
  withServer(() => ({ delayMs: 4 }), async (_, options) => {
    const seen: string[][] = [];
    const flush = async () => {
      seen.push((await readdir(options.journal)).filter((name) => name.endsWith('.jsonl')));
      await sleep(1);
    };
    await withSession({ ...options, flush, flushMs: 15 }, (session) => askAll(session, calls(40)));
    assert.ok(seen.length >= 2);
    assert.equal(seen.at(-1)?.length, (await readdir(options.journal)).length);
  }));

test('a Hub that takes no journal does not stop the calls', () =>
  withServer(() => ({}), async (_, options) => {
    const notes: string[] = [];
    await withSession({ ...options, flush: () => Promise.reject(new Error('Hub is away')), note: (note) => notes.push(note) }, (session) => askAll(session, calls(3)));
    assert.match(notes[0] ?? '', /Hub is away/);
  }));
