import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askAll, batchTeacher, calls, type Place, withBatches, withPractice } from '../rig/batching.ts';
import { type PendingFiles, startPendingFiles } from '../rig/pending-files.ts';

const list = calls(12);

const behind = (refusals: number, looks: 'pending' | 'no route', use: (place: Place, files: PendingFiles) => Promise<void>) =>
  withPractice('', async (place) => {
    const files = await startPendingFiles(place.server.url, refusals, looks);
    try {
      await use(place, files);
    } finally {
      await files.close();
    }
  });

for (const looks of ['pending', 'no route'] as const)
  test(`a file that must be processed first is waited for, each is uploaded once: ${looks}`, () =>
    behind(2, looks, async ({ callLog, server }, files) => {
      const teacher = batchTeacher(files.url, { requests: 6 });
      const { outcomes, notes, summary } = await askAll({ callLog, teacher: async () => [teacher] }, list);
      assert.ok(outcomes.every(({ ok }) => ok));
      assert.deepEqual(files.counts, { uploads: 2, refusals: 4, creations: 2 });
      assert.deepEqual([server.answered(), summary.possibleDoubleSpend], [12, 0]);
      assert.equal(notes.length, 2);
      assert.match(notes[0] ?? '', /has not processed file file-\w+ yet: its batch is created once it has$/);
    }));

test('a file that is not processed in time ends the run as temporary, and the next one goes on with the same file', () =>
  behind(1000, 'no route', async ({ callLog, server }, files) => {
    const teacher = batchTeacher(files.url, { requests: 12 });
    const options = { callLog, teacher: async () => [teacher] };
    await assert.rejects(askAll({ ...options, retryPolicy: { fileMs: 60 } }, list), {
      exit: 'temporary',
      message: /^Cannot create a batch of teacher ".*": its file file-\w+ is not processed after 1 min$/,
      hint: /goes on with the file that is there$/,
    });
    files.ready();
    const { outcomes, summary } = await askAll(options, list);
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.deepEqual([files.counts.uploads, files.counts.creations], [1, 1]);
    assert.deepEqual([server.answered(), summary.possibleDoubleSpend], [12, 0]);
  }));

test('who turns away while a file is processed finds it again, and what nobody asks for then is not bought', () =>
  behind(1000, 'pending', async ({ callLog, server }, files) => {
    const teacher = batchTeacher(files.url, { requests: 6 });
    const leave = new AbortController();
    const refusing = withBatches(teacher, (batch) => ({
      async create(...args) {
        const said = await batch.create(...args);
        if (files.counts.refusals >= 4) leave.abort();
        return said;
      },
    }));
    const turned = askAll({ callLog, teacher: async () => [refusing], signal: leave.signal }, list);
    await assert.rejects(turned, { exit: 'detached' });
    files.ready();
    const { outcomes } = await askAll({ callLog, teacher: async () => [teacher] }, list.slice(0, 6));
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.deepEqual([files.counts.uploads, files.counts.creations, server.answered()], [2, 1, 6]);
  }));

test('a file that can never be processed ends the run with the words of the server', () =>
  withPractice('', async ({ callLog, server }) => {
    const teacher = withBatches(batchTeacher(server.url, { requests: 12 }), (batch) => ({
      async upload(...args) {
        const said = await batch.upload(...args);
        return said.ok ? { ok: true, value: { ...said.value, state: 'pending' as const } } : said;
      },
      file: async (id) => ({ ok: true, value: { id, state: 'failed', why: 'its status is "error": line 3 is too long' } }),
    }));
    await assert.rejects(askAll({ callLog, teacher: async () => [teacher] }, list), {
      exit: 'preflight',
      message: /file file-\w+ cannot be processed: its status is "error": line 3 is too long$/,
    });
    assert.equal(server.answered(), 0);
  }));

test('a file of a run before that the server has deleted meanwhile is sent again', () =>
  behind(1000, 'no route', async ({ callLog, server }, files) => {
    const teacher = batchTeacher(files.url, { requests: 12 });
    const options = { callLog, teacher: async () => [teacher] };
    await assert.rejects(askAll({ ...options, retryPolicy: { fileMs: 60 } }, list), { exit: 'temporary' });
    files.ready();
    let first = true;
    const forgetful = withBatches(teacher, (batch) => ({
      async create(...args) {
        if (!first) return batch.create(...args);
        first = false;
        return { ok: false, failure: { kind: 'final', message: 'No such File object', status: 400, afterMs: undefined } };
      },
    }));
    const { outcomes, notes } = await askAll({ ...options, teacher: async () => [forgetful] }, list);
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.deepEqual([files.counts.uploads, server.answered()], [2, 12]);
    assert.match(notes.join('\n'), /does not take the file that was sent before: No such File object; it is sent again/);
  }));
