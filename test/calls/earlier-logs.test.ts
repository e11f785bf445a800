import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { openCallLog } from '../../src/calls/call-log.ts';
import { encodeRecord, type LogRecord } from '../../src/calls/record.ts';
import { doneRecord, failRecord, intentRecord, keyOf } from '../rig/call-records.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-earlier-'));
after(() => rm(root, { recursive: true }));
const limits = { segmentBytes: 4000, reserveBytes: 10 };

async function bring(folder: string, name: string, records: readonly LogRecord[], tail = ''): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), Buffer.concat([...records.map(encodeRecord), Buffer.from(tail)]));
}
async function look(folder: string): Promise<unknown> {
  const names = (await readdir(folder)).sort();
  const path = (name: string) => join(folder, name);
  return Promise.all(names.map(async (name) => [name, await readFile(path(name), 'utf8'), (await stat(path(name))).mtimeMs]));
}

test('what an earlier run knows is known but not spent, and its folder stays as it is', async () => {
  const [own, first, second] = ['own', 'first', 'second'].map((name) => join(root, name)) as [string, string, string];
  const batch = 'b'.repeat(64);
  await bring(first, 'calls-000001-aa.jsonl', [doneRecord(1), intentRecord(2), failRecord(3, 'final'), doneRecord(6)]);
  await bring(first, 'calls-000002-aa.jsonl.open', [doneRecord(4), intentRecord(5, { b: batch })], 'torn');
  await bring(second, 'restored-cc.jsonl', [doneRecord(1, 'later'), doneRecord(2), intentRecord(7, { a: 3 })], 'not a record\n');
  await bring(own, 'calls-000001-aa.jsonl', [intentRecord(7), failRecord(7, 'again'), intentRecord(4), doneRecord(6, 'own')]);
  const before = [await look(first), await look(second)];
  const log = await openCallLog(own, { earlier: [first, second, join(root, 'gone'), own, first], limits });
  const texts = await Promise.all([1, 2, 4, 6].map(async (n) => (await log.reply(keyOf(n)))?.text));
  assert.deepEqual(texts, ['reply 1', 'reply 2', 'reply 4', 'own']);
  assert.deepEqual(log.known(keyOf(3)), { state: 'rejected', attempt: 1 });
  assert.deepEqual(log.known(keyOf(5)), { state: 'sent', attempt: 1, sentAt: 1000, est: 0.25, batch });
  assert.deepEqual(log.known(keyOf(7)), { state: 'rejected', attempt: 1 }, 'the run itself knows better');
  assert.deepEqual(log.usage(keyOf(1)), { usd: 0.5, promptTokens: 3, completionTokens: 2 });
  const { done, costUsd, unknownUsd, lostUsd, damaged } = log.totals;
  assert.deepEqual([done, costUsd, unknownUsd, lostUsd, damaged], [1, 0.5, 0, 0.25, 1]);
  await log.append(doneRecord(5, 'recovered', { recovered: true }));
  assert.deepEqual([log.totals.done, log.totals.recovered, log.totals.unknownUsd], [2, 1, 0]);
  await log.close();
  assert.deepEqual([await look(first), await look(second)], before);
});

test('batches are known by what was planned, opened and ended last, whatever the order of the records', async () => {
  const [one, two] = ['1', '2'].map((digit) => digit.repeat(64)) as [string, string];
  const of = (b: string, at: number) => ({ t: 'batch', b, teacher: 't', at }) as const;
  const records: LogRecord[] = [
    { ...of(one, 1), state: 'planned', keys: 3, file: 'f1' },
    { ...of(one, 2), state: 'open', id: 'batch_1' },
    { ...of(one, 3), state: 'ended', id: 'batch_1', status: 'failed' },
    { ...of(one, 4), state: 'open', id: 'batch_2' },
    { ...of(two, 5), state: 'planned', keys: 1, file: 'f2' },
  ];
  const folder = join(root, 'batches');
  const log = await openCallLog(folder, { limits });
  const seen = () => log.batches().map(({ sha, id, ended }) => [sha[0], id, ended]);
  const expected = [
    [['1', undefined, false]],
    [['1', 'batch_1', false]],
    [['1', 'batch_1', true]],
    [['1', 'batch_2', false]],
    [
      ['1', 'batch_2', false],
      ['2', undefined, false],
    ],
  ];
  for (const [at, record] of records.entries()) {
    await log.append(record);
    assert.deepEqual(seen(), expected[at]);
  }
  assert.deepEqual(log.batches()[1], {
    sha: two,
    teacher: 't',
    keys: 1,
    file: 'f2',
    upload: undefined,
    id: undefined,
    ended: false,
    status: undefined,
  });
  const whole = log.batches();
  await log.close();
  for (let turn = 0; turn < records.length; turn += 1) {
    const other = join(root, randomUUID());
    await bring(other, 'a.jsonl', [...records.slice(turn), ...records.slice(0, turn)].reverse());
    const again = await openCallLog(other, { limits });
    assert.deepEqual(
      again.batches().sort((a, b) => (a.sha < b.sha ? -1 : 1)),
      whole,
    );
    await again.close();
  }
});

type CallRecord = Exclude<LogRecord, { t: 'batch' }>;
const SEGMENTS = [
  ['own', 'a.jsonl'],
  ['own', 'b.jsonl'],
  ['own', 'c.jsonl.open'],
  ['x', 'a.jsonl'],
  ['x', 'b.jsonl.open'],
  ['y', 'a.jsonl'],
] as const;
const attempt = fc.integer({ min: 1, max: 3 });
const record = fc.oneof(
  fc.record({ n: fc.nat(4), a: attempt, est: fc.option(fc.nat(9)) }).map(({ n, ...more }) => intentRecord(n, more)),
  fc
    .record({ n: fc.nat(4), a: attempt, text: fc.string(), usd: fc.option(fc.nat(9)), in: fc.nat(9) })
    .map(({ n, text, ...more }) => doneRecord(n, text, more)),
  fc
    .record({ n: fc.nat(4), a: attempt, kind: fc.constantFrom('again' as const, 'final' as const) })
    .map(({ n, a, kind }) => failRecord(n, kind, a)),
) as fc.Arbitrary<CallRecord>;

/** The state of a call by definition: all of its records, in the order of reading, the run's own before those of others. */
function wanted(
  own: CallRecord[],
  others: CallRecord[],
): { state: string | undefined; answer?: CallRecord; est?: number | null } {
  const answer = [...own, ...others].find(({ t }) => t === 'done');
  if (answer !== undefined) return { state: 'done', answer };
  const heard = own.length > 0 ? own : others;
  const last = heard.filter(({ a }) => a === Math.max(...heard.map((each) => each.a)));
  const no = last.findLast((each) => each.t === 'fail');
  if (no?.t === 'fail') return { state: 'rejected' };
  const intent = last.find((each) => each.t === 'intent');
  return intent?.t === 'intent' ? { state: 'sent', est: intent.est } : { state: undefined };
}

test('whatever records are in whatever segments of whatever folders, each call has the state that they say', () =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(record, fc.nat(SEGMENTS.length - 1)), { maxLength: 40 }), async (placed) => {
      const home = join(root, randomUUID());
      const inOrder = SEGMENTS.map((_, segment) => placed.filter(([, at]) => at === segment).map(([one]) => one));
      for (const [at, [folder, name]] of SEGMENTS.entries()) await bring(join(home, folder), name, inOrder[at] ?? []);
      const log = await openCallLog(join(home, 'own'), { earlier: [join(home, 'x'), join(home, 'y')], limits });
      const sums = { done: 0, costUsd: 0, promptTokens: 0, unknownUsd: 0 };
      for (let n = 0; n < 5; n += 1) {
        const of = (segments: CallRecord[][]) => segments.flat().filter(({ k }) => k === keyOf(n));
        const own = of(inOrder.slice(0, 3));
        const { state, answer, est } = wanted(own, of(inOrder.slice(3)));
        assert.equal(log.known(keyOf(n))?.state, state);
        if (state === 'sent' && own.length > 0) sums.unknownUsd += est ?? 0;
        const reply = await log.reply(keyOf(n));
        if (answer?.t !== 'done') assert.equal(reply, undefined);
        else {
          assert.deepEqual(reply?.raw, answer.raw);
          assert.deepEqual(log.usage(keyOf(n)), { usd: answer.usd, promptTokens: answer.in, completionTokens: answer.out });
          if (!own.includes(answer)) continue;
          sums.done += 1;
          sums.costUsd += answer.usd ?? 0;
          sums.promptTokens += answer.in;
        }
      }
      const { done, costUsd, promptTokens, unknownUsd } = log.totals;
      assert.deepEqual({ done, costUsd, promptTokens, unknownUsd }, sums);
      await log.close();
      await rm(home, { recursive: true });
    }),
  ));
