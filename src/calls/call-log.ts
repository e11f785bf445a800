import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readReply } from '../teachers/reply.ts';
import type { ChatReply } from '../teachers/teacher.ts';
import { BatchList, type LoggedBatch } from './batch-list.ts';
import { type CallUsage, type KnownCall, KnownCalls, type Totals } from './known-calls.ts';
import { decodeRecord, encodeRecord, type LogRecord, readHead } from './record.ts';
import { findSegments, finishSegments, scanLines } from './segment-files.ts';
import { SegmentReader } from './segment-reader.ts';
import { type SegmentLimits, SegmentWriter } from './segments.ts';

export interface CallLogOptions {
  /** Folders of earlier runs, which are only read: what they know need not be asked, and was not spent by this run. */
  readonly earlier?: readonly string[];
  readonly limits?: SegmentLimits;
}

const LIMITS: SegmentLimits = { segmentBytes: 16 << 20, reserveBytes: 4 << 20 };

/** Opens the log of a folder and reads what earlier attempts, here or elsewhere, left in it. */
export async function openCallLog(folder: string, { earlier = [], limits = LIMITS }: CallLogOptions = {}): Promise<CallLog> {
  await mkdir(folder, { recursive: true });
  await finishSegments(folder);
  const { paths, next } = await findSegments(folder);
  const log = new CallLog(new SegmentWriter(folder, next, limits));
  await log.replay(paths, true);
  const others = new Set(earlier.map((path) => resolve(path)));
  others.delete(resolve(folder));
  for (const other of others) await log.replay((await findSegments(other)).paths, false);
  return log;
}

/** Every paid call of a run, on disk before and after. Memory grows by 80 bytes a call, never by its text. */
export class CallLog {
  readonly #calls = new KnownCalls();
  readonly #batches = new BatchList();
  readonly #reader = new SegmentReader();
  readonly #writer: SegmentWriter;
  /** by number, as the index has them */
  readonly #segments: string[] = [];

  constructor(writer: SegmentWriter) {
    this.#writer = writer;
  }

  get totals(): Readonly<Totals> {
    return this.#calls.totals;
  }

  get full(): boolean {
    return this.#writer.full;
  }

  /** Learns what is in these segments; `own`: they are of the log's own folder. */
  async replay(paths: readonly string[], own: boolean): Promise<void> {
    for (const path of paths) {
      const segment = this.#segments.push(path) - 1;
      await scanLines(path, (line, offset) => {
        const head = readHead(line);
        if (head === undefined) this.#calls.totals.damaged += 1;
        else if (head.t === 'batch') this.#batches.learn(head);
        else this.#calls.learn(head, { segment, offset, length: line.length, own });
      });
    }
  }

  known(key: string): KnownCall | undefined {
    return this.#calls.known(key);
  }

  /** What a call that is `done` took, without a look at the disk. */
  usage(key: string): CallUsage | undefined {
    return this.#calls.usage(key);
  }

  /** Says whether this is the first time that the reply to a call is used. */
  use(key: string): boolean {
    return this.#calls.use(key);
  }

  /** The reply to a call that is `done`. */
  async reply(key: string): Promise<ChatReply | undefined> {
    const record = await this.#recordOf(key, 'done');
    return record?.t === 'done' ? readReply(record.raw, record.rid ?? undefined) : undefined;
  }

  /** The name of the server that a call which is `sent` went to. */
  async sentTo(key: string): Promise<string | undefined> {
    const record = await this.#recordOf(key, 'sent');
    return record?.t === 'intent' ? record.teacher : undefined;
  }

  /** The batches of this folder and the earlier ones, in the order in which the log first named them. */
  batches(): LoggedBatch[] {
    return this.#batches.list();
  }

  /** Resolves when the record is on disk. */
  async append(record: LogRecord): Promise<void> {
    const { path, offset, length } = await this.#writer.write(encodeRecord(record));
    if (this.#segments.at(-1) !== path) this.#segments.push(path);
    if (record.t === 'batch') this.#batches.learn(record);
    else this.#calls.learn(record, { segment: this.#segments.length - 1, offset, length: length - 1, own: true });
  }

  /** Finishes the segment at hand, so that it can be taken elsewhere. */
  roll(): Promise<void> {
    return this.#writer.roll();
  }

  async close(): Promise<void> {
    await this.#writer.close();
    await this.#reader.close();
  }

  /** The record that the index points to; none where two keys share an entry and it is the other's. */
  async #recordOf(key: string, state: KnownCall['state']): Promise<LogRecord | undefined> {
    const at = this.#calls.position(key, state);
    if (at === undefined) return undefined;
    const record = decodeRecord(await this.#reader.read(this.#segments[at.segment] as string, at.offset, at.length));
    return record !== undefined && record.t !== 'batch' && record.k === key ? record : undefined;
  }
}
