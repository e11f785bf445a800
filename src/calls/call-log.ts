import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readReply } from '../teachers/reply.ts';
import type { ChatReply } from '../teachers/teacher.ts';
import { batchList, type LoggedBatch } from './batch-list.ts';
import { type CallUsage, type KnownCall, KnownCalls, type Totals } from './known-calls.ts';
import { decodeRecord, encodeRecord, type LogRecord, readHead } from './record.ts';
import { findSegments, finishSegments, scanLines } from './segment-files.ts';
import { segmentReader } from './segment-reader.ts';
import { type SegmentLimits, SegmentWriter } from './segments.ts';

/** Every paid call of a run, on disk before and after. Memory grows by 80 bytes a call, never by its text. */
export interface CallLog {
  known(key: string): KnownCall | undefined;
  /** What a call that is `done` took, without a look at the disk. */
  usage(key: string): CallUsage | undefined;
  /** The reply to a call that is `done`. */
  reply(key: string): Promise<ChatReply | undefined>;
  /** The name of the server that a call which is `sent` went to. */
  sentTo(key: string): Promise<string | undefined>;
  /** Of this folder and the earlier ones, in the order in which they were first heard of. */
  batches(): LoggedBatch[];
  /** Resolves when the record is on disk. */
  append(record: LogRecord): Promise<void>;
  /** Finishes the segment at hand, so that it can be taken elsewhere. */
  roll(): Promise<void>;
  close(): Promise<void>;
  readonly totals: Readonly<Totals>;
  readonly full: boolean;
}

export interface CallLogOptions {
  /** Folders of earlier runs, which are only read: what they know need not be asked, and was not spent by this run. */
  readonly earlier?: readonly string[];
  readonly limits?: SegmentLimits;
}

const LIMITS: SegmentLimits = { segmentBytes: 16 << 20, reserveBytes: 4 << 20 };

/** Opens the log of a folder and reads what earlier attempts, here or elsewhere, left in it. */
export async function openCallLog(folder: string, { earlier = [], limits = LIMITS }: CallLogOptions = {}): Promise<CallLog> {
  await mkdir(folder, { recursive: true });
  const calls = new KnownCalls();
  const batches = batchList();
  const reader = segmentReader();
  /** by number, as the index has them */
  const segments: string[] = [];

  async function replay(paths: readonly string[], own: boolean): Promise<void> {
    for (const path of paths) {
      const segment = segments.push(path) - 1;
      await scanLines(path, (line, offset) => {
        const head = readHead(line);
        if (head === undefined) calls.totals.damaged += 1;
        else if (head.t === 'batch') batches.learn(head);
        else calls.learn(head, { segment, offset, length: line.length, own });
      });
    }
  }

  /** The record that the index points to; none where two keys share an entry and it is the other's. */
  async function recordOf<S extends KnownCall['state']>(key: string, state: S): Promise<LogRecord | undefined> {
    const at = calls.position(key, state);
    if (at === undefined) return undefined;
    const record = decodeRecord(await reader.read(segments[at.segment] as string, at.offset, at.length));
    return record !== undefined && record.t !== 'batch' && record.k === key ? record : undefined;
  }

  await finishSegments(folder);
  const { paths, next } = await findSegments(folder);
  await replay(paths, true);
  const others = new Set(earlier.map((path) => resolve(path)));
  others.delete(resolve(folder));
  for (const other of others) await replay((await findSegments(other)).paths, false);
  const writer = new SegmentWriter(folder, next, limits);

  return {
    totals: calls.totals,
    get full() {
      return writer.full;
    },
    known: (key) => calls.known(key),
    usage: (key) => calls.usage(key),
    async reply(key) {
      const record = await recordOf(key, 'done');
      return record?.t === 'done' ? readReply(record.raw, record.rid ?? undefined) : undefined;
    },
    async sentTo(key) {
      const record = await recordOf(key, 'sent');
      return record?.t === 'intent' ? record.teacher : undefined;
    },
    batches: () => batches.list(),
    async append(record) {
      const { path, offset, length } = await writer.write(encodeRecord(record));
      if (segments.at(-1) !== path) segments.push(path);
      if (record.t === 'batch') batches.learn(record);
      else calls.learn(record, { segment: segments.length - 1, offset, length: length - 1, own: true });
    },
    roll: () => writer.roll(),
    async close() {
      await writer.close();
      await reader.close();
    },
  };
}
