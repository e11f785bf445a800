import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type CallLog, type CallLogOptions, openCallLog } from '../../src/calls/call-log.ts';
import { encodeRecord, type LogRecord } from '../../src/calls/record.ts';
import { doneRecord, failRecord, intentRecord, keyOf } from '../rig/call-records.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-log-'));
after(() => rm(root, { recursive: true }));
const newFolder = () => join(root, randomUUID());
const SMALL: CallLogOptions = { limits: { segmentBytes: 4000, reserveBytes: 10 } };

async function write(folder: string, records: readonly LogRecord[], options: CallLogOptions = SMALL): Promise<void> {
  const log = await openCallLog(folder, options);
  await Promise.all(records.map((record) => log.append(record)));
  await log.close();
}
/** A segment as another machine brings it. */
async function bring(folder: string, name: string, records: readonly LogRecord[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), Buffer.concat(records.map(encodeRecord)));
}
const textOf = async (log: CallLog, n: number) => (await log.reply(keyOf(n)))?.text;

test('what was appended is there again, from the same process and from the next', async () => {
  const folder = newFolder();
  const log = await openCallLog(folder, SMALL);
  await log.append(intentRecord(1));
  assert.deepEqual(log.known(keyOf(1)), { state: 'sent', attempt: 1, sentAt: 1000, est: 0.25, batch: undefined });
  assert.equal(log.totals.unknownUsd, 0.25);
  await log.append(doneRecord(1, 'über "all"\nlines'));
  assert.equal(await textOf(log, 1), 'über "all"\nlines');
  await log.roll();
  assert.equal(await textOf(log, 1), 'über "all"\nlines');
  await log.append(failRecord(2, 'final'));
  await log.close();
  const again = await openCallLog(folder, SMALL);
  assert.equal(await textOf(again, 1), 'über "all"\nlines');
  assert.deepEqual(again.known(keyOf(1)), { state: 'done', attempt: 1 });
  assert.deepEqual(again.usage(keyOf(1)), { usd: 0.5, promptTokens: 3, completionTokens: 2 });
  assert.equal(again.known(keyOf(2))?.state, 'rejected');
  assert.deepEqual([again.usage(keyOf(2)), await textOf(again, 2), again.known(keyOf(3))], [undefined, undefined, undefined]);
  assert.deepEqual(again.totals, {
    done: 1,
    recovered: 0,
    promptTokens: 3,
    completionTokens: 2,
    costUsd: 0.5,
    unknownUsd: 0,
    lostUsd: 0,
    lost: 0,
    damaged: 0,
  });
  await again.close();
});

test('what was sent and never settled is owed, and what was sent again without knowing is lost', async () => {
  const folder = newFolder();
  const log = await openCallLog(folder, SMALL);
  const sums = () => [log.totals.unknownUsd, log.totals.lostUsd, log.totals.lost];
  await log.append(intentRecord(1));
  await log.append(intentRecord(2, { est: null }));
  assert.deepEqual(sums(), [0.25, 0, 0]);
  await log.append(intentRecord(1, { a: 2, est: 0.5 }));
  assert.deepEqual(sums(), [0.5, 0.25, 1]);
  await log.append(failRecord(1, 'again', 2));
  await log.append(intentRecord(1, { a: 3 }));
  await log.append(doneRecord(1, 'at last', { a: 3 }));
  assert.deepEqual(sums(), [0, 0.25, 1]);
  await log.close();
  const again = await openCallLog(folder, SMALL);
  assert.deepEqual([again.totals.unknownUsd, again.totals.lostUsd, again.totals.lost], sums());
  await again.close();
});

test('lines that wait together are all written, and large logs are cut into segments', async () => {
  const folder = newFolder();
  const records = Array.from({ length: 300 }, (_, n) => doneRecord(n));
  for (let at = 0; at < records.length; at += 20) await write(folder, records.slice(at, at + 20));
  await write(folder, [doneRecord(300)]);
  const names = await readdir(folder);
  assert.ok(names.length > 10);
  assert.ok(
    names.every((name) => /^calls-\d{6}-[0-9a-f]{12}\.jsonl$/.test(name)),
    names.join(' '),
  );
  const log = await openCallLog(folder, SMALL);
  const texts = await Promise.all(Array.from({ length: 301 }, (_, n) => textOf(log, (n * 7) % 301)));
  assert.deepEqual(
    texts,
    texts.map((_, n) => `reply ${(n * 7) % 301}`),
  );
  await log.close();
});

test('a log whose last records a crash cut at any byte gives back every whole record and no other', async () => {
  const bytes = Buffer.concat(
    [intentRecord(1), doneRecord(1), intentRecord(2), doneRecord(2), intentRecord(3)].map(encodeRecord),
  );
  const ends = [...bytes.entries()].filter(([, byte]) => byte === 10).map(([at]) => at + 1);
  for (let cut = ends[2] as number; cut <= bytes.length; cut += 1) {
    const folder = newFolder();
    await mkdir(folder);
    await writeFile(join(folder, 'calls-000001-ab.jsonl.open'), bytes.subarray(0, cut));
    const log = await openCallLog(folder, SMALL);
    const whole = ends.filter((end) => end <= cut).length;
    assert.deepEqual(
      [1, 2, 3].map((n) => log.known(keyOf(n))?.state),
      [
        [undefined, 'sent', 'done', 'done', 'done', 'done'][whole],
        [undefined, undefined, undefined, 'sent', 'done', 'done'][whole],
        whole === 5 ? 'sent' : undefined,
      ],
      `cut at ${cut}`,
    );
    assert.equal(log.totals.damaged, 0);
    await log.append(doneRecord(3, 'after the crash', { a: 2 }));
    assert.equal(await textOf(log, 3), 'after the crash');
    await log.close();
    await rm(folder, { recursive: true });
  }
});

test('a byte that changed costs the line that it is in, wherever it is, and never gives a wrong reply', async () => {
  const lines = [1, 2, 3].map((n) => encodeRecord(doneRecord(n)));
  const bytes = Buffer.concat(lines);
  const size = lines[0]?.length as number;
  const folder = newFolder();
  await mkdir(folder);
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] as number) ^ 0x21;
    await writeFile(join(folder, 'restored-aa.jsonl'), changed);
    const log = await openCallLog(folder, SMALL);
    const hit = Math.floor(at / size);
    const isNewline = bytes[at] === 10;
    const expected = [0, 1, 2].map((line) => (line === hit || (isNewline && line === hit + 1) ? undefined : `reply ${line + 1}`));
    assert.deepEqual([await textOf(log, 1), await textOf(log, 2), await textOf(log, 3)], expected, `byte ${at}`);
    assert.equal(log.totals.damaged > 0, at < bytes.length - 1, `byte ${at}`);
    await log.close();
  }
});

test('a damaged line is passed over and counted, those after it still count', async () => {
  const folder = newFolder();
  const long = 'x'.repeat(5 << 20);
  await bring(folder, 'restored-aa.jsonl', [doneRecord(1), doneRecord(2), doneRecord(3, long), doneRecord(4)]);
  const path = join(folder, 'restored-aa.jsonl');
  await writeFile(path, (await readFile(path, 'utf8')).replace('reply 2', 'reply X'));
  await appendFile(path, 'foreign line\n');
  const log = await openCallLog(folder, SMALL);
  assert.deepEqual([await textOf(log, 1), await textOf(log, 2), await textOf(log, 4)], ['reply 1', undefined, 'reply 4']);
  assert.equal((await textOf(log, 3)) === long, true);
  assert.deepEqual([log.totals.done, log.totals.damaged], [3, 2]);
  await log.close();
});

test('segments brought from another machine count in any order, each answer once', async () => {
  const folder = newFolder();
  await bring(folder, 'restored-aa.jsonl', [doneRecord(1)]);
  await bring(folder, 'restored-bb.jsonl', [
    intentRecord(1),
    intentRecord(2),
    failRecord(2, 'final'),
    intentRecord(3),
    failRecord(3, 'again'),
  ]);
  await bring(folder, 'restored-cc.jsonl', [doneRecord(1, 'a second answer', { a: 2 })]);
  const log = await openCallLog(folder, SMALL);
  assert.equal(await textOf(log, 1), 'reply 1');
  assert.deepEqual([log.known(keyOf(2))?.state, log.known(keyOf(3))?.state], ['rejected', 'rejected']);
  assert.deepEqual([log.totals.costUsd, log.totals.unknownUsd], [0.5, 0]);
  await log.close();
});

test('a key that shares 16 bytes with another never gets its reply', async () => {
  const folder = newFolder();
  const twin = (n: number) => keyOf(n).slice(0, 32) + keyOf(n + 100).slice(32);
  await write(folder, [doneRecord(1)]);
  const log = await openCallLog(folder, SMALL);
  assert.deepEqual([await log.reply(twin(1)), await textOf(log, 1)], [undefined, 'reply 1']);
  await log.close();
});

test('two writers in one folder lose nothing of one another, whoever ends first', async () => {
  const folder = newFolder();
  const one = await openCallLog(folder, SMALL);
  await one.append(doneRecord(1));
  // The second one takes the open segment of the first for that of a dead process.
  const two = await openCallLog(folder, SMALL);
  assert.equal(await textOf(two, 1), 'reply 1');
  for (let n = 10; n < 60; n += 2) await Promise.all([one.append(doneRecord(n)), two.append(doneRecord(n + 1))]);
  assert.equal(await textOf(one, 1), 'reply 1');
  await one.close();
  await two.append(doneRecord(2));
  await two.close();
  const log = await openCallLog(folder, SMALL);
  for (const n of [1, 2, ...Array.from({ length: 50 }, (_, at) => at + 10)]) assert.equal(await textOf(log, n), `reply ${n}`);
  assert.deepEqual([log.totals.done, log.totals.damaged], [52, 0]);
  await log.close();
});

test('a session without a call leaves no file', async () => {
  const folder = newFolder();
  await write(folder, []);
  assert.deepEqual(await readdir(folder), []);
});
