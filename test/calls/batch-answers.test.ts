import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBatchLine } from '../../src/teachers/batch-line.ts';
import type { BatchApi } from '../../src/teachers/teacher.ts';
import { askAll, batchTeacher, calls, withPractice } from '../rig/batching.ts';

test('an answer in a batch that cannot be read may have been billed: its call is sent again, which is said', async () => {
  await withPractice('', async ({ journal, server }) => {
    const teacher = batchTeacher(server.url, {});
    const batch = teacher.batch as BatchApi;
    let spoilt: string | undefined;
    const read: BatchApi['read'] = (file, take, signal) => {
      const unreadable = (customId: string) =>
        readBatchLine(JSON.stringify({ custom_id: customId, response: { status_code: 200, body: { choices: [] } } }));
      return batch.read(
        file,
        (lines) => {
          spoilt ??= lines[0]?.customId;
          return take(lines.map((line) => (line.customId === spoilt ? unreadable(line.customId ?? '') : line)));
        },
        signal,
      );
    };
    const asked = { ...teacher, batch: { ...batch, read } };
    const { texts, summary } = await askAll({ journal, teacher: async () => [asked] }, calls(12));
    assert.ok(texts.every((text) => text !== undefined));
    assert.deepEqual([summary.possibleDoubleSpend, server.answered()], [1, 13]);
  });
});
