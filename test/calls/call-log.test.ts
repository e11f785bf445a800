import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type CallLog, openCallLog } from '../../src/calls/call-log.ts';
import type { LogRecord } from '../../src/calls/record.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-log-'));
after(() => rm(root, { recursive: true }));
const newFolder = () => join(root, randomUUID());

const keyOf = (n: number) => n.toString(16).padStart(64, '0');
const intent = (n: number, a = 1, at = 1000): LogRecord => ({ t: 'intent', k: keyOf(n), a, at, model: 'm', teacher: 't' });
const done = (n: number, text = `reply ${n}`, a = 1): LogRecord => ({
  t: 'done',
  k: keyOf(n),
  a,
  rid: `r${n}`,
  usd: 0.5,
  recovered: false,
  raw: rawOf(text),
});
const fail = (n: number, kind: 'again' | 'final', a = 1): LogRecord => ({
  t: 'fail',
  k: keyOf(n),
  a,
  kind,
  status: 400,
  message: 'no',
});
const rawOf = (content: string) => ({
  choices: [{ finish_reason: 'stop', message: { content } }],
  usage: { prompt_tokens: 3, completion_tokens: 2 },
});

async function write(folder: string, records: readonly LogRecord[], limits?: Parameters<typeof openCallLog>[1]): Promise<void> {
  const log = await openCallLog(folder, limits);
  await Promise.all(records.map((record) => log.append(record)));
  await log.close();
}
const textOf = async (log: CallLog, n: number) => (await log.reply(keyOf(n)))?.text;

test('what was appended is there again, from the same process and from the next', async () => {
  const folder = newFolder();
  const log = await openCallLog(folder);
  await log.append(intent(1));
  assert.deepEqual(log.known(keyOf(1)), { state: 'sent', attempt: 1, sentAt: 1000 });
  await log.append(done(1, 'über "all"\nlines'));
  assert.equal(await textOf(log, 1), 'über "all"\nlines');
  await log.roll();
  assert.equal(await textOf(log, 1), 'über "all"\nlines');
  await log.close();
  const again = await openCallLog(folder);
  assert.equal(await textOf(again, 1), 'über "all"\nlines');
  assert.deepEqual(again.totals, { done: 1, recovered: 0, promptTokens: 3, completionTokens: 2, costUsd: 0.5, damaged: 0 });
  await again.close();
});

test('lines that wait together are all written, and large logs are cut into segments', async () => {
  const folder = newFolder();
  await write(
    folder,
    Array.from({ length: 300 }, (_, n) => done(n)),
    { segmentBytes: 4000, reserveBytes: 10 },
  );
  await write(folder, [done(300)], { segmentBytes: 4000, reserveBytes: 10 });
  const names = await readdir(folder);
  assert.ok(names.length >= 2);
  assert.ok(
    names.every((name) => /^calls-\d{6}\.jsonl$/.test(name)),
    names.join(' '),
  );
  const log = await openCallLog(folder);
  for (let n = 0; n <= 300; n += 1) assert.equal(await textOf(log, n), `reply ${n}`);
  await log.close();
});

test('a log that a crash cut at any byte gives back every whole record and no other', async () => {
  const source = newFolder();
  await write(source, [intent(1), done(1), intent(2), done(2), intent(3)]);
  const bytes = await readFile(join(source, 'calls-000001.jsonl'));
  const ends = [...bytes.entries()].filter(([, byte]) => byte === 10).map(([at]) => at + 1);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const folder = newFolder();
    await mkdir(folder);
    await writeFile(join(folder, 'calls-000001.jsonl.open'), bytes.subarray(0, cut));
    const log = await openCallLog(folder, { segmentBytes: 1 << 20, reserveBytes: 16 });
    const whole = ends.filter((end) => end <= cut).length;
    const states = [1, 2, 3].map((n) => log.known(keyOf(n))?.state);
    assert.deepEqual(
      states,
      [
        [undefined, 'sent', 'done', 'done', 'done', 'done'][whole],
        [undefined, undefined, undefined, 'sent', 'done', 'done'][whole],
        whole === 5 ? 'sent' : undefined,
      ],
      `cut at ${cut}`,
    );
    assert.equal(log.totals.damaged, 0);
    await log.append(done(3, 'after the crash', 2));
    assert.equal(await textOf(log, 3), 'after the crash');
    await log.close();
    await rm(folder, { recursive: true });
  }
});

test('a damaged line is passed over and counted, those after it still count', async () => {
  const folder = newFolder();
  await write(folder, [done(1), done(2), done(3)]);
  const path = join(folder, 'calls-000001.jsonl');
  await writeFile(path, (await readFile(path, 'utf8')).replace('reply 2', 'reply X'));
  await appendFile(path, 'foreign line\n');
  const log = await openCallLog(folder);
  assert.deepEqual(
    [await textOf(log, 1), await textOf(log, 2), await textOf(log, 3), log.totals.damaged],
    ['reply 1', undefined, 'reply 3', 2],
  );
  await log.close();
});

test('segments brought from another machine count in any order, each answer once', async () => {
  const folder = newFolder();
  await write(folder, [intent(1), intent(2), fail(2, 'final'), intent(3), fail(3, 'again')]);
  await rename(join(folder, 'calls-000001.jsonl'), join(folder, 'restored-bb.jsonl'));
  await write(folder, [done(1)]);
  await rename(join(folder, 'calls-000001.jsonl'), join(folder, 'restored-aa.jsonl'));
  await write(folder, [done(1, 'a second answer', 2)]);
  await rename(join(folder, 'calls-000001.jsonl'), join(folder, 'restored-cc.jsonl'));
  const log = await openCallLog(folder);
  assert.equal(await textOf(log, 1), 'reply 1');
  assert.deepEqual([log.known(keyOf(2))?.state, log.known(keyOf(3))?.state, log.totals.costUsd], ['failed', 'rejected', 0.5]);
  await log.close();
});

test('two processes cannot write one log', async () => {
  const folder = newFolder();
  const [one, two] = [await openCallLog(folder), await openCallLog(folder)];
  await one.append(done(1));
  await assert.rejects(two.append(done(2)), { exit: 'conflict' });
  await one.close();
  await two.close();
});

test('a session without a call leaves no file', async () => {
  const folder = newFolder();
  await write(folder, []);
  assert.deepEqual(await readdir(folder), []);
});
