import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SessionSummary } from '../../src/calls/session.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import { askAll, batchTeacher, calls, type Place, withPractice } from '../rig/batching.ts';
import { startFaultyPractice } from '../rig/faulty-practice.ts';
import { startProxy, type Tampering, type TamperingProxy } from '../rig/tampering-proxy.ts';

const COUNT = 25;
const program = join(import.meta.dirname, '../rig/ask-batch.ts');

let live: (string | undefined)[] = [];
await withPractice('', async ({ callLog, server }) => {
  const teacher = batchTeacher(server.url, undefined);
  live = (await askAll({ callLog, teacher: async () => [teacher] }, calls(COUNT))).texts;
});

interface Result {
  readonly texts: (string | undefined)[];
  readonly summary: SessionSummary;
}

/** Runs the program against the server behind the proxy; killed when the tampering wants it, it has no result. */
async function runOnce(proxy: TamperingProxy, callLog: string, tampering?: Omit<Tampering, 'does'>): Promise<Result | undefined> {
  const child = spawn(process.execPath, [program, proxy.url, callLog, String(COUNT)], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (tampering !== undefined) proxy.tamper({ ...tampering, does: () => child.kill('SIGKILL') });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const signal = await new Promise((resolve) => child.once('close', (_code, by) => resolve(by)));
  return signal === null ? (JSON.parse(output) as Result) : undefined;
}

async function checkAll(place: Place, result: Result | undefined): Promise<void> {
  assert.deepEqual(result?.texts, live);
  assert.equal(result?.summary.possibleDoubleSpend, 0);
  const keys = await place.answeredKeys();
  assert.equal(place.server.answered(), COUNT, 'each call is answered once');
  assert.equal(keys.length, COUNT);
  assert.deepEqual(
    (await readdir(place.callLog)).filter((name) => !/^calls-.*\.jsonl$/.test(name)),
    [],
    'no request file is left behind',
  );
}

const BATCH = /^\/v1\/batches\/[^/]+$/;
const POINTS: readonly { readonly when: string; readonly tampering: Omit<Tampering, 'does'> }[] = [
  { when: 'between the plan and the upload', tampering: { method: 'POST', path: /\/files$/, how: 'before' } },
  { when: 'during the upload', tampering: { method: 'POST', path: /\/files$/, how: 'after' } },
  { when: 'between the upload and the creation', tampering: { method: 'POST', path: /\/batches$/, how: 'before' } },
  { when: 'after the creation, before it heard of it', tampering: { method: 'POST', path: /\/batches$/, how: 'after' } },
  { when: 'after the creation of the second batch', tampering: { method: 'POST', path: /\/batches$/, how: 'after', skip: 1 } },
  { when: 'between the creation and the first look', tampering: { method: 'GET', path: BATCH, how: 'before' } },
  { when: 'after a look', tampering: { method: 'GET', path: BATCH, how: 'after', skip: 2 } },
  { when: 'before it reads the answers', tampering: { method: 'GET', path: /\/content$/, how: 'before' } },
  { when: 'half-way through the answers', tampering: { method: 'GET', path: /\/content$/, how: 'half' } },
  { when: 'with one batch read and another being read', tampering: { method: 'GET', path: /\/content$/, how: 'half', skip: 1 } },
];
for (const { when, tampering } of POINTS) {
  test(`killed ${when}, no call is lost or answered twice`, async () => {
    await withPractice('delay=30', async (place) => {
      const proxy = await startProxy(place.server.url);
      try {
        assert.equal(await runOnce(proxy, place.callLog, tampering), undefined, 'it was not killed');
        await checkAll(place, await runOnce(proxy, place.callLog));
      } finally {
        await proxy.close();
      }
    });
  });
}

test('killed again while it finds out what became of its batch, no call is lost or answered twice', async () => {
  await withPractice('delay=30', async (place) => {
    const proxy = await startProxy(place.server.url);
    try {
      const creation = { method: 'POST', path: /\/batches$/, how: 'after' } as const;
      const list = { method: 'GET', path: /\/batches$/, how: 'after' } as const;
      assert.equal(await runOnce(proxy, place.callLog, creation), undefined);
      assert.equal(await runOnce(proxy, place.callLog, list), undefined);
      const result = await runOnce(proxy, place.callLog);
      assert.ok((result?.summary.recovered ?? 0) > 0);
      await checkAll(place, result);
    } finally {
      await proxy.close();
    }
  });
});

for (const how of ['after', { refuse: 502 }] as const) {
  test(`a creation whose answer is ${how === 'after' ? 'lost on the way' : 'a 502 of a gateway'} is looked for, not repeated`, async () => {
    await withPractice('', async (place) => {
      const proxy = await startProxy(place.server.url);
      try {
        proxy.tamper({ method: 'POST', path: /\/batches$/, how });
        const teacher = batchTeacher(proxy.url, {}, 300);
        const { texts, summary } = await askAll({ callLog: place.callLog, teacher: async () => [teacher] }, calls(COUNT));
        assert.deepEqual(texts, live);
        assert.ok(summary.recovered > 0);
        assert.equal(place.server.answered(), COUNT);
        assert.equal(proxy.passed.filter((request) => request === 'POST /v1/batches').length, Math.ceil(COUNT / 10));
      } finally {
        await proxy.close();
      }
    });
  });
}

test('a batch that the server does not know any more is asked again, and said to be paid twice perhaps', async () => {
  await withPractice('delay=20', async (place) => {
    const proxy = await startProxy(place.server.url);
    try {
      assert.equal(await runOnce(proxy, place.callLog, { method: 'GET', path: BATCH, how: 'before' }), undefined);
      await withPractice('', async (other) => {
        const teacher = batchTeacher(other.server.url, {}, 300);
        // The same server by name, without its batches: as after 30 days, or with the key of another project.
        const { name } = batchTeacher(proxy.url, {}, 300);
        const { texts, summary, notes } = await askAll(
          { callLog: place.callLog, teacher: async () => [{ ...teacher, name }] },
          calls(COUNT),
        );
        assert.deepEqual(texts, live);
        assert.ok(summary.possibleDoubleSpend >= 10 && summary.possibleDoubleSpendUsd > 0);
        assert.match(notes.join('\n'), /does not know batch batch_\w+ any more: its \d+ calls may be paid twice/);
      });
    } finally {
      await proxy.close();
    }
  });
});

test('batches of a practice teacher that is started at another port are found again', async () => {
  await withPractice('', async ({ root, callLog }) => {
    const log = join(root, 'moving.jsonl');
    const server = await startFaultyPractice({ seed: 1, log, batches: 'delay=30' });
    const list = calls(COUNT);
    const open = (baseUrl: string) => {
      const spec = { provider: 'practice', model: 'practice-direct', baseUrl, batch: { requests: 10, pollSeconds: 0.01 } };
      const teacher = openTeacher(teacherSpec.parse(spec), 'practice');
      return async () => [teacher];
    };
    const turnedAway = new AbortController();
    const proxy = await startProxy(server.url);
    proxy.tamper({ method: 'GET', path: BATCH, how: 'before', does: () => turnedAway.abort() });
    await assert.rejects(askAll({ callLog, teacher: open(proxy.url), signal: turnedAway.signal }, list), { exit: 'detached' });
    await proxy.close();
    await server.close();
    const next = await startFaultyPractice({ seed: 1, log });
    try {
      const { texts, summary } = await askAll({ callLog, teacher: open(next.url) }, list);
      assert.deepEqual([texts, summary.possibleDoubleSpend, next.answered()], [live, 0, COUNT]);
    } finally {
      await next.close();
    }
  });
});
