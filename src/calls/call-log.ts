import { mkdir, open } from 'node:fs/promises';
import { readLinesFrom } from '../base/ndjson.ts';
import { readReply } from '../teachers/reply.ts';
import type { ChatReply } from '../teachers/teacher.ts';
import { decodeRecord, encodeRecord, type LogRecord } from './record.ts';
import { finishedSegments, type Position, type SegmentLimits, segmentWriter } from './segments.ts';

/**
 * What the log knows of a call; `attempt` is the last one that it knows of. `sent`: a request left and nothing came back,
 * so that it may have been answered and billed. `rejected`: the server said no, and may be asked again.
 */
export type Known =
  | { readonly state: 'done'; readonly attempt: number; readonly at: Position }
  | { readonly state: 'failed'; readonly attempt: number; readonly message: string; readonly status: number | undefined }
  | { readonly state: 'sent'; readonly attempt: number; readonly sentAt: number }
  | { readonly state: 'rejected'; readonly attempt: number };

export interface Totals {
  done: number;
  recovered: number;
  promptTokens: number;
  completionTokens: number;
  costUsd: number;
  /** lines that are not a record: neither whole nor the torn end of a segment */
  damaged: number;
}

/** Every paid call of a step, on disk before and after. Memory grows by an index entry a call, never by its text. */
export interface CallLog {
  known(key: string): Known | undefined;
  /** The reply to a call that is `done`. */
  reply(key: string): Promise<ChatReply | undefined>;
  /** Resolves when the record is on disk. */
  append(record: LogRecord): Promise<void>;
  roll(): Promise<void>;
  close(): Promise<void>;
  readonly totals: Readonly<Totals>;
  readonly full: boolean;
}

const LIMITS: SegmentLimits = { segmentBytes: 16 << 20, reserveBytes: 4 << 20 };

/** Opens the log of a folder and reads what earlier attempts, here or elsewhere, left in it. */
export async function openCallLog(folder: string, limits: SegmentLimits = LIMITS): Promise<CallLog> {
  await mkdir(folder, { recursive: true });
  const index = new Map<string, Known>();
  const totals: Totals = { done: 0, recovered: 0, promptTokens: 0, completionTokens: 0, costUsd: 0, damaged: 0 };

  function learn(record: LogRecord, at: Position): void {
    const next = after(index.get(record.k), record, at);
    if (next === undefined) return;
    index.set(record.k, next);
    if (record.t === 'done') count(totals, record);
  }

  const { paths, next } = await finishedSegments(folder);
  for (const path of paths) {
    let offset = 0;
    for (const { text, end } of await readLinesFrom(path, 0)) {
      const record = decodeRecord(text);
      if (record === undefined) totals.damaged += 1;
      else learn(record, { path, offset, length: end - offset });
      offset = end;
    }
  }
  const writer = segmentWriter(folder, next, limits);

  return {
    totals,
    get full() {
      return writer.full;
    },
    known: (key) => index.get(key),
    async reply(key) {
      const known = index.get(key);
      if (known?.state !== 'done') return undefined;
      const record = await readAt(known.at);
      return record?.t === 'done' ? readReply(record.raw, record.rid ?? undefined) : undefined;
    },
    async append(record) {
      learn(record, await writer.write(encodeRecord(record)));
    },
    roll: () => writer.roll(),
    close: () => writer.close(),
  };
}

/** What is known of a call after one more record; `undefined` when it says nothing new. Segments may be read in any order. */
function after(before: Known | undefined, record: LogRecord, at: Position): Known | undefined {
  // The first answer stays the answer: what was built on it must not change when a second one turns up.
  if (before?.state === 'done') return undefined;
  const attempt = record.a;
  if (record.t === 'done') return { state: 'done', attempt, at };
  if (before !== undefined && before.attempt > attempt) return undefined;
  if (record.t === 'fail') {
    if (record.kind !== 'final') return { state: 'rejected', attempt };
    return { state: 'failed', attempt, message: record.message, status: record.status ?? undefined };
  }
  if (before !== undefined && before.attempt === attempt) return undefined;
  return { state: 'sent', attempt, sentAt: record.at };
}

function count(totals: Totals, record: Extract<LogRecord, { t: 'done' }>): void {
  const reply = readReply(record.raw, undefined);
  totals.done += 1;
  totals.recovered += record.recovered ? 1 : 0;
  totals.promptTokens += reply?.promptTokens ?? 0;
  totals.completionTokens += reply?.completionTokens ?? 0;
  totals.costUsd += record.usd ?? 0;
}

async function readAt({ path, offset, length }: Position): Promise<LogRecord | undefined> {
  const file = await open(path)
    .catch(() => open(`${path}.open`))
    .catch(() => open(path));
  try {
    const bytes = Buffer.alloc(length);
    await file.read(bytes, 0, length, offset);
    return decodeRecord(bytes.toString('utf8', 0, length - 1));
  } finally {
    await file.close();
  }
}
