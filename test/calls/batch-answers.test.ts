import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBatchLine } from '../../src/teachers/batch-line.ts';
import type { BatchApi, BatchLine } from '../../src/teachers/teacher.ts';
import { askAll, batchTeacher, calls, withBatches, withPractice } from '../rig/batching.ts';

test('an answer in a batch that cannot be read may have been billed: its call is sent again, which is said', async () => {
  await withPractice('', async ({ callLog, server }) => {
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
    const { texts, summary } = await askAll({ callLog, teacher: async () => [asked] }, calls(12));
    assert.ok(texts.every((text) => text !== undefined));
    assert.deepEqual([summary.possibleDoubleSpend, server.answered()], [1, 13]);
  });
});

const SPOILT: readonly (readonly [string, (text: string) => string])[] = [
  ['is cut off', (text) => text.slice(0, text.length / 2)],
  ['names no call', (text) => text.replace('"custom_id"', '"id_of_mine"')],
  ['names another call', (text) => text.replace(/"custom_id":"./, '"custom_id":"x')],
  ['has no answer in it', (text) => text.replace('"choices"', '"options"')],
  ['is no JSON', () => '<html>Bad gateway</html>'],
];
for (const [how, spoil] of SPOILT)
  test(`a call whose line ${how} every time is bought twice and no oftener, and the others once`, async () => {
    await withPractice('', async ({ callLog, server }) => {
      const victim = calls(12)[5]?.messages[0]?.content ?? '';
      const teacher = batchTeacher(server.url, {});
      const batch = teacher.batch as BatchApi;
      const victims = new Set<string>();
      const asked = {
        ...teacher,
        batch: {
          ...batch,
          line(customId: string, body: string) {
            if (body.includes(JSON.stringify(victim).slice(1, -1))) victims.add(customId);
            return batch.line(customId, body);
          },
          read: (file: string, take: (lines: readonly BatchLine[]) => Promise<void>, signal: AbortSignal) =>
            batch.read(
              file,
              (lines) =>
                take(lines.map((line) => (victims.has(line.customId ?? '') ? readBatchLine(spoil(textOf(line))) : line))),
              signal,
            ),
        },
      };
      const { outcomes, summary, notes } = await askAll({ callLog, teacher: async () => [asked] }, calls(12));
      assert.deepEqual([outcomes.filter(({ ok }) => !ok).length, server.answered()], [1, 13]);
      assert.equal(summary.possibleDoubleSpend, 2);
      assert.match(notes.join('\n'), /1 calls may be paid twice/);
    });
  });

/** A line of a batch's output, as the server sent it. */
function textOf({ customId, ...line }: BatchLine): string {
  const body = 'answer' in line && line.answer.ok ? line.answer.reply.raw : null;
  return JSON.stringify({ id: 'batch_req', custom_id: customId, response: { status_code: 200, body }, error: null });
}

test('an output file that is named only a moment after the end is waited for', async () => {
  await withPractice('', async ({ callLog, server }) => {
    const teacher = batchTeacher(server.url, { requests: 12 });
    let looks = 0;
    const late = withBatches(teacher, (batch) => ({
      async retrieve(id, signal) {
        const said = await batch.retrieve(id, signal);
        if (!said.ok || said.value.status !== 'completed') return said;
        looks += 1;
        return looks > 1 ? said : { ok: true, value: { ...said.value, outputFile: undefined } };
      },
    }));
    const { outcomes, summary } = await askAll({ callLog, teacher: async () => [late] }, calls(12));
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.deepEqual([server.answered(), summary.possibleDoubleSpend], [12, 0]);
  });
});
