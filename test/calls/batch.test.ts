import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSession, type SessionOptions } from '../../src/calls/session.ts';
import { ZephyrError } from '../../src/errors.ts';
import { askAll, batchTeacher, calls, type Place, withPractice } from '../rig/batching.ts';
import { startProxy } from '../rig/tampering-proxy.ts';

const COUNT = 35;
const list = calls(COUNT);
const keyed = (url: string, batch = {}) => {
  const teacher = batchTeacher(url, batch);
  return async () => [teacher];
};

/** What the same calls are answered live, at a server of the same seed. */
let live: (string | undefined)[] = [];
await withPractice('', async ({ callLog, server }) => {
  const teacher = batchTeacher(server.url, undefined);
  live = (await askAll({ callLog, teacher: async () => [teacher] }, list)).texts;
});

test('a batched call has the key and the reply of a live one, at the batch price', async () => {
  await withPractice('', async ({ callLog, server }) => {
    const { texts, outcomes, summary } = await askAll({ callLog, teacher: keyed(server.url) }, list);
    assert.deepEqual(texts, live);
    assert.ok(outcomes.every((outcome) => outcome.ok && !outcome.replayed));
    assert.equal(server.answered(), COUNT);
    const { promptTokens, completionTokens, costUsd, asked } = summary;
    assert.equal(asked, COUNT);
    assert.ok(Math.abs(costUsd - (promptTokens * 0.5 + completionTokens * 5) / 1e6) < 1e-12);
    const teacher = batchTeacher('http://127.0.0.1:1/v1', undefined);
    const again = await askAll({ callLog, teacher: async () => [teacher] }, list);
    assert.deepEqual([again.texts, again.summary.replayed, again.summary.costUsd], [live, COUNT, costUsd]);
    assert.deepEqual(
      (await readdir(callLog)).filter((name) => !/^calls-.*\.jsonl$/.test(name)),
      [],
    );
  });
});

const ENDS: readonly { readonly rules: string; readonly what: string; readonly twice?: boolean }[] = [
  { rules: 'shuffled,twice,unknown', what: 'lines in any order, twice and of calls that nobody made' },
  { rules: 'expired=0.5x2', what: 'batches that expire half finished' },
  { rules: 'cancelled=0.3x2', what: 'batches that are cancelled with a part finished' },
  { rules: 'errorsx2', what: 'batches that have only an error file' },
  { rules: 'failedx2', what: 'batches that are refused as a whole' },
  { rules: 'cutx2', what: 'output files that break off while they are read' },
  { rules: 'queue=60,delay=5', what: 'more tokens than the server lets wait, which it says afterwards' },
];
for (const { rules, what } of ENDS) {
  test(`no answer is lost, shifted or paid twice with ${what}`, async () => {
    await withPractice(rules, async ({ callLog, server, answeredKeys }) => {
      const { texts, summary, notes } = await askAll({ callLog, teacher: keyed(server.url) }, list);
      assert.deepEqual(texts, live);
      assert.equal(server.answered(), COUNT);
      assert.equal(summary.possibleDoubleSpend, 0);
      assert.equal((await answeredKeys()).length, COUNT);
      if (rules !== 'cutx2') assert.ok(notes.length > 0);
    });
  });
}

test('calls that the model refuses are refused, and the others answered', async () => {
  await withPractice(
    '',
    async ({ callLog, server }) => {
      const { texts, outcomes, summary } = await askAll({ callLog, teacher: keyed(server.url) }, list);
      assert.deepEqual(texts, live);
      assert.ok(outcomes.every(({ ok }) => ok));
      assert.equal(summary.possibleDoubleSpend, 0);
    },
    '503@0.5x20',
  );
});

test('a call that is never answered is given up after some attempts, and asked again by the next run', async () => {
  await withPractice('errorsx8', async ({ callLog, server }) => {
    const { outcomes } = await askAll({ callLog, teacher: keyed(server.url) }, list.slice(0, 12));
    assert.ok(outcomes.every((outcome) => !outcome.ok && outcome.failure.kind === 'again' && outcome.failure.status === 503));
    const again = await askAll({ callLog, teacher: keyed(server.url) }, list.slice(0, 12));
    assert.deepEqual(again.texts, live.slice(0, 12));
  });
});

test('batches that are refused again and again stop the run, with the reason of the server', async () => {
  await withPractice('failed', async ({ callLog, server }) => {
    await assert.rejects(
      askAll({ callLog, teacher: keyed(server.url) }, list),
      (error: unknown) =>
        error instanceof ZephyrError &&
        error.exit === 'preflight' &&
        /invalid_request: The file could not be/.test(error.message),
    );
    assert.equal(server.answered(), 0);
  });
});

test('the tokens that wait at the server stay below the limit of the recipe', async () => {
  await withPractice('queue=400,delay=5', async ({ callLog, server }) => {
    const { texts, notes } = await askAll({ callLog, teacher: keyed(server.url, { queuedTokens: 100 }) }, list);
    assert.deepEqual(texts, live);
    assert.deepEqual(notes, []);
  });
});

test('no file is larger than the recipe allows', async () => {
  await withPractice('', async ({ root, callLog, server }) => {
    const { texts } = await askAll({ callLog, teacher: keyed(server.url, { requests: 1000, megabytes: 0.002 }) }, list);
    assert.deepEqual(texts, live);
    const files = await Promise.all(
      (await readdir(join(root, 'practice.jsonl.files'))).filter((name) => name.startsWith('batch_')),
    );
    assert.ok(files.length >= 5, files.join(' '));
  });
});

test('what is spent stays below the cap, and the run stops there', async () => {
  await withPractice('', async ({ callLog, server }) => {
    // 35 calls cost about $0.0017; as estimated, with 40 tokens each, several times as much.
    const budgetUsd = 0.0009;
    await assert.rejects(askAll({ callLog, teacher: keyed(server.url), budgetUsd }, list), {
      exit: 'preflight',
      message: /budget/,
    });
    const spent = server.answered();
    assert.ok(spent > 4 && spent < COUNT, `${spent} calls`);
    const { texts, summary } = await askAll({ callLog, teacher: keyed(server.url), budgetUsd: 1 }, list);
    assert.deepEqual(texts, live);
    assert.equal(server.answered(), COUNT);
    assert.equal(summary.replayed, spent);
  });
});

/** Asks everything, and turns away as soon as the server is asked how a batch is. */
/** Turns away once so many batches are made, before anybody hears of one. */
async function turnAway({ callLog, server }: Place, options: Partial<SessionOptions> = {}, batches = 1): Promise<void> {
  const proxy = await startProxy(server.url);
  const turnedAway = new AbortController();
  const made = () => proxy.passed.filter((request) => request.startsWith('POST') && request.endsWith('/batches')).length;
  const does = () => made() >= batches && turnedAway.abort();
  proxy.tamper({ method: 'GET', path: /\/batches\/[^/]+$/, how: 'before', times: Number.POSITIVE_INFINITY, does });
  const teacher = { ...batchTeacher(proxy.url, {}), name: nameOf(server.url) };
  const asking = askAll({ callLog, teacher: async () => [teacher], signal: turnedAway.signal, ...options }, list);
  await assert.rejects(asking, { exit: 'detached' });
  await proxy.close();
}
const nameOf = (url: string) => batchTeacher(url, {}).name;

test('a run that is detached from leaves its batches at the server and takes their answers later', async () => {
  await withPractice('delay=100', async (place) => {
    const { callLog, server } = place;
    const notes: string[] = [];
    await turnAway(place, { note: (message) => notes.push(message) });
    assert.match(notes.join('\n'), /Batches go on at .*batch_/);
    const { texts, summary } = await askAll({ callLog, teacher: keyed(server.url) }, list);
    assert.deepEqual(texts, live);
    assert.equal(server.answered(), COUNT);
    assert.equal(summary.possibleDoubleSpend, 0);
  });
});

test('a batch of an earlier run that is still at the server is waited for, not sent again', async () => {
  await withPractice('delay=100', async (place) => {
    const { root, callLog, server } = place;
    await turnAway(place);
    const { texts } = await askAll({ callLog: join(root, 'next'), earlier: [callLog], teacher: keyed(server.url) }, list);
    assert.deepEqual(texts, live);
    assert.equal(server.answered(), COUNT);
  });
});

test('answers of a batch to calls that nobody asks for again are taken with the others', async () => {
  await withPractice('', async (place) => {
    const { callLog, server } = place;
    await turnAway(place);
    await askAll({ callLog, teacher: keyed(server.url) }, list.slice(0, 1));
    const teacher = batchTeacher('http://127.0.0.1:1/v1', undefined);
    const { texts } = await askAll({ callLog, teacher: async () => [teacher] }, list.slice(0, 10));
    assert.deepEqual(texts, live.slice(0, 10));
  });
});

test('a server that is away for a while is waited for, and the wait is said once', async () => {
  await withPractice('delay=50', async ({ callLog, server }) => {
    const proxy = await startProxy(server.url);
    proxy.tamper({ method: 'GET', path: /\/batches\/[^/]+$/, how: 'before', times: 6 });
    const { texts, notes } = await askAll(
      { callLog, teacher: keyed(proxy.url, { requests: COUNT }), retryPolicy: { awayMs: 20_000, unseenMs: 20_000 } },
      list,
    );
    await proxy.close();
    assert.deepEqual(texts, live);
    assert.deepEqual(
      notes.map((note) => /does not say|answers again/.exec(note)?.[0]),
      ['does not say', 'answers again'],
    );
  });
});

test('a call that got lost on its way live is looked for before it goes into a batch', async () => {
  await withPractice('', async ({ callLog, server }) => {
    const stored = { ...batchTeacher(server.url, undefined, 100, true), settleMs: 100 };
    const proxy = await startProxy(server.url);
    proxy.tamper({ method: 'POST', path: /\/chat\/completions$/, how: 'after', does: () => turnedAway.abort() });
    const turnedAway = new AbortController();
    const lossy = { ...batchTeacher(proxy.url, undefined, 100, true), name: stored.name };
    await assert.rejects(
      askAll({ callLog, teacher: async () => [lossy], signal: turnedAway.signal, drainMs: 20 }, list.slice(0, 1)),
    );
    await proxy.close();
    const { texts, summary } = await askAll({ callLog, teacher: async () => [batchTeacher(server.url, {}, 100, true)] }, list);
    assert.deepEqual(texts, live);
    assert.deepEqual([summary.recovered, summary.possibleDoubleSpend, server.answered()], [1, 0, COUNT]);
  });
});

test('a batch that is still at the server when its calls are asked live may cost them twice, which is said', async () => {
  await withPractice('delay=3000', async (place) => {
    const { callLog, server } = place;
    await turnAway(place, {}, Math.ceil(COUNT / 10));
    const stored = { ...batchTeacher(server.url, undefined, 100, true), settleMs: 100 };
    const { texts, summary } = await askAll({ callLog, teacher: async () => [stored] }, list);
    assert.deepEqual(texts, live);
    assert.equal(summary.possibleDoubleSpend, COUNT);
  });
});

test('a call of more tokens than ever may wait is given up, and the others are answered', async () => {
  await withPractice('queue=60', async ({ callLog, server }) => {
    const [first] = list;
    assert.ok(first !== undefined);
    const large = { ...first, messages: [{ role: 'user' as const, content: 'word '.repeat(300) }] };
    const { texts, outcomes } = await askAll({ callLog, teacher: keyed(server.url) }, [large, ...list]);
    assert.deepEqual(texts, [undefined, ...live]);
    assert.ok(outcomes[0]?.ok === false && /token_limit_exceeded/.test(outcomes[0].failure.message));
  });
});

test('a queue that others fill is waited for', async () => {
  await withPractice('queue=60,delay=40', async ({ root, callLog, server }) => {
    const other = batchTeacher(server.url, {}).batch;
    assert.ok(other !== undefined);
    const path = join(root, 'others');
    const { signal } = new AbortController();
    const request = { ...list[0], ...list[0]?.sampling, key: 'other' } as Parameters<typeof other.body>[0];
    await writeFile(path, [1, 2, 3, 4, 5].map((n) => `${other.line(`other-${n}`, other.body(request))}\n`).join(''));
    const uploaded = await other.upload(path, 'others.jsonl', signal);
    for (let n = 0; n < 8; n += 1) if (uploaded.ok) await other.create(uploaded.value.id, {}, signal);
    const { texts, outcomes } = await askAll({ callLog, teacher: keyed(server.url, { requests: 4 }) }, list.slice(0, 8));
    assert.deepEqual(texts, live.slice(0, 8));
    assert.ok(outcomes.every(({ ok }) => ok));
  });
});

test('two teachers of a recipe at one server leave one another their batches', async () => {
  await withPractice('delay=250', async ({ callLog, server }) => {
    const mixed = list.map((call, n) => ({ ...call, teacher: n < 12 ? 'a' : 'b' }));
    const notes: string[] = [];
    const options = { callLog, note: (message: string) => notes.push(message), signal: new AbortController().signal };
    const session = await openSession({
      ...options,
      retryPolicy: { gatherMs: 10, lookMs: 10 },
      // The second is opened while the first is at work.
      teacher: async (id) => {
        if (id === 'b') await new Promise((resolve) => setTimeout(resolve, 60));
        return [batchTeacher(server.url, {})];
      },
    });
    const found = await Promise.all(mixed.map((call) => session.ask(call)));
    await session.close();
    assert.deepEqual(
      found.map((outcome) => (outcome.ok ? outcome.reply.text : undefined)),
      live,
    );
    assert.deepEqual([notes, server.answered()], [[], COUNT]);
  });
});

test('what batches of an earlier session may cost counts against the cap until they are read', async () => {
  await withPractice('delay=50', async (place) => {
    const { callLog, server } = place;
    // About 20 calls as estimated, with 40 tokens each; more than all of them as they turn out.
    const budgetUsd = 0.0045;
    await turnAway(place, { budgetUsd });
    const { texts, summary } = await askAll({ callLog, teacher: keyed(server.url), budgetUsd }, list);
    assert.deepEqual(texts, live);
    assert.ok(summary.spentUsd < budgetUsd);
    assert.equal(server.answered(), COUNT);
  });
});
