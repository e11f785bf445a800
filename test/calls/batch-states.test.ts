import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { ServerBatch, Teacher } from '../../src/teachers/teacher.ts';
import { askAll, batchTeacher, calls, withBatches, withPractice } from '../rig/batching.ts';
import { startProxy } from '../rig/tampering-proxy.ts';

const list = calls(12);

/** The teacher of a server that says otherwise how its batches are. */
function retelling(teacher: Teacher, tell: (batch: ServerBatch) => Partial<ServerBatch>): Teacher {
  return withBatches(teacher, (batch) => ({
    async retrieve(id, signal) {
      const said = await batch.retrieve(id, signal);
      return said.ok ? { ok: true, value: { ...said.value, ...tell(said.value) } } : said;
    },
  }));
}

test('a batch in a state that nobody knows is waited for, which is said once', async () => {
  await withPractice('', async ({ callLog, server }) => {
    let looks = 0;
    const teacher = retelling(batchTeacher(server.url, {}), () => {
      looks += 1;
      return looks <= 5 ? { status: 'warming up' } : {};
    });
    const { outcomes, notes } = await askAll({ callLog, teacher: async () => [teacher] }, list);
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.equal(notes.length, 1);
    assert.match(notes[0] ?? '', /^Batch batch_\w+ is "warming up", a word that is not OpenAI's/);
  });
});

test('a batch that is still worked on after its window is waited for all the same, which is said once', async () => {
  await withPractice('', async ({ callLog, server }) => {
    let looks = 0;
    const expiresAt = Date.now() - 2 * 3_600_000;
    const teacher = retelling(batchTeacher(server.url, { requests: 12 }), () => {
      looks += 1;
      return looks <= 5 ? { status: 'finalizing', expiresAt } : {};
    });
    const { outcomes, notes } = await askAll({ callLog, teacher: async () => [teacher] }, list);
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.match(notes.join('\n'), /^Batch batch_\w+ is still "finalizing", although its window has ended$/);
  });
});

test('a batch in a state that nobody knows after its window stops the run, whose next one takes its answers', async () => {
  await withPractice('', async ({ callLog, server }) => {
    const plain = batchTeacher(server.url, {});
    const expiresAt = Date.now() - 2 * 3_600_000;
    const odd = retelling(plain, () => ({ status: 'archived', expiresAt }));
    await assert.rejects(askAll({ callLog, teacher: async () => [odd] }, list), {
      exit: 'temporary',
      message: /batch batch_\w+ of teacher ".*": its window has ended and its status is "archived", expected completed, failed/,
    });
    const { outcomes, summary } = await askAll({ callLog, teacher: async () => [plain] }, list);
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.deepEqual([server.answered(), summary.possibleDoubleSpend], [list.length, 0]);
  });
});

test('a batch that failed half-way keeps the answers that it has', async () => {
  await withPractice('expired=0.5x1', async ({ callLog, server }) => {
    const teacher = retelling(batchTeacher(server.url, { requests: 12 }), ({ status }) =>
      status === 'expired' ? { status: 'failed' } : {},
    );
    const { outcomes, summary } = await askAll({ callLog, teacher: async () => [teacher] }, list);
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.deepEqual([server.answered(), summary.possibleDoubleSpend], [list.length, 0], 'no call was answered twice');
  });
});

test('a server that does not say which batch it has made is not asked to make another', async () => {
  await withPractice('', async ({ callLog, server }) => {
    const proxy = await startProxy(server.url);
    proxy.tamper({ method: 'POST', path: /\/batches$/, how: { refuse: 200 }, times: 2 });
    const { outcomes } = await askAll({ callLog, teacher: async () => [batchTeacher(proxy.url, { requests: 12 })] }, list);
    await proxy.close();
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.equal(proxy.passed.filter((request) => request.startsWith('POST') && request.endsWith('/batches')).length, 1);
    assert.equal(server.answered(), list.length);
  });
});

test('a list that cannot be read does not say that there is no batch', async () => {
  await withPractice('', async ({ callLog, server }) => {
    const proxy = await startProxy(server.url);
    proxy.tamper({ method: 'POST', path: /\/batches$/, how: 'after', does: () => hideList() });
    const hideList = () => proxy.tamper({ method: 'GET', path: /\/batches$/, how: { refuse: 200 }, times: 2 });
    const { outcomes } = await askAll({ callLog, teacher: async () => [batchTeacher(proxy.url, { requests: 12 }, 0)] }, list);
    await proxy.close();
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.equal(server.answered(), list.length);
  });
});

test('a batch of which the server says nothing but its name when it is made is not made again', async () => {
  await withPractice('', async ({ callLog, server }) => {
    const stub = createServer((_, answer) => answer.setHeader('content-type', 'application/json').end('{"id":"terse"}'));
    await new Promise<void>((resolve) => stub.listen(0, '127.0.0.1', resolve));
    const { port } = stub.address() as AddressInfo;
    const [full, terse] = [batchTeacher(server.url, { requests: 12 }), batchTeacher(`http://127.0.0.1:${port}`, {})];
    assert.ok(full.batch !== undefined && terse.batch !== undefined);
    const { batch } = full;
    let made = 0;
    let name = '';
    const create: typeof batch.create = async (file, _, signal) => {
      made += 1;
      // kept without its metadata, so that it is not found by them
      const said = await batch.create(file, {}, signal);
      name = (said.ok ? said.value?.id : undefined) ?? '';
      return terse.batch?.create(file, {}, signal) ?? said;
    };
    const retrieve: typeof batch.retrieve = (_, signal) => batch.retrieve(name, signal);
    const teacher = { ...full, batch: { ...batch, create, retrieve } };
    const { outcomes } = await askAll({ callLog, teacher: async () => [teacher] }, list).finally(() => {
      stub.close();
      stub.closeAllConnections();
    });
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.deepEqual([made, server.answered()], [1, list.length]);
  });
});
