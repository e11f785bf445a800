import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Teacher } from '../../src/teachers/teacher.ts';
import { askAll, batchTeacher, calls, withBatches, withPractice } from '../rig/batching.ts';

const list = calls(12).map((call, n) => ({ ...call, teacher: n % 2 === 0 ? 'a' : 'b' }));

/** The teacher, and how many of its batches were at the server at once at most. */
function watched(teacher: Teacher, open: Set<string>, most: { batches: number }): Teacher {
  return withBatches(teacher, (batch) => ({
    async create(...args) {
      const created = await batch.create(...args);
      if (created.ok && created.value !== undefined) open.add(created.value.id);
      most.batches = Math.max(most.batches, open.size);
      return created;
    },
    async retrieve(id, signal) {
      const said = await batch.retrieve(id, signal);
      if (said.ok && said.value.status === 'completed') open.delete(id);
      return said;
    },
  }));
}

test('two teachers of a recipe that are one server and model share the tokens that may wait there', async () => {
  await withPractice('delay=5', async ({ callLog, server }) => {
    const open = new Set<string>();
    const most = { batches: 0 };
    // So little that a batch of one call goes out only when nothing else waits.
    const teacher = async () => [watched(batchTeacher(server.url, { queuedTokens: 1 }), open, most)];
    const { outcomes } = await askAll({ callLog, teacher }, list);
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.equal(most.batches, 1);
    assert.equal(server.answered(), list.length);
  });
});

test('what a batch that got lost may have cost is counted once, whoever asks after it', async () => {
  await withPractice('delay=600000', async ({ callLog, server }) => {
    const turnedAway = new AbortController();
    const looked = new Set<string>();
    const first = batchTeacher(server.url, {});
    const { batch } = first;
    assert.ok(batch !== undefined);
    const retrieve: typeof batch.retrieve = (id, signal) => {
      // both are at the server, and it is known that they are
      if (looked.add(id).size === 2) turnedAway.abort();
      return batch.retrieve(id, signal);
    };
    const teacher = async () => [{ ...first, batch: { ...batch, retrieve } }];
    await assert.rejects(askAll({ callLog, teacher, signal: turnedAway.signal }, list), { exit: 'detached' });
    // Another server under the same name: it knows nothing of those batches.
    await withPractice('', async (other) => {
      const teacher = async () => [{ ...batchTeacher(other.server.url, {}), name: first.name }];
      const { outcomes, summary } = await askAll({ callLog, teacher }, list);
      assert.ok(outcomes.every(({ ok }) => ok));
      assert.equal(summary.possibleDoubleSpend, list.length);
    });
  });
});
