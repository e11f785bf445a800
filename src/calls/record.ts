import { crc32 } from 'node:zlib';
import * as z from 'zod';
import type { ChatFailure, ChatReply } from '../teachers/teacher.ts';

const key = z.string().regex(/^[0-9a-f]{64}$/);
/** The index keeps 32 bits of a count. */
const MOST = 0xffffffff;
const count = z.int().min(0).max(MOST);
const batch = { t: z.literal('batch'), b: key, teacher: z.string(), at: z.number() };

/**
 * A line of the call log. `k` is the call's key, `a` counts its attempts from 1, `b` is the SHA-256 that names a batch,
 * `at` is milliseconds since 1970, dollars are United States dollars.
 */
const logRecord = z.discriminatedUnion('t', [
  /** Durable before the request leaves: from here on the call may cost money, about `est` dollars where there is a price. */
  z.object({
    t: z.literal('intent'),
    k: key,
    a: count,
    at: z.number(),
    est: z.number().nullable().default(null),
    b: key.optional(),
    model: z.string(),
    teacher: z.string(),
  }),
  /** Durable before the reply is handed on: `raw` is its body as the server sent it, `usd` its price or null, `in` and `out` its tokens. */
  z.object({
    t: z.literal('done'),
    k: key,
    a: count,
    usd: z.number().nullable(),
    in: count.default(0),
    out: count.default(0),
    recovered: z.boolean(),
    rid: z.string().nullable(),
    raw: z.unknown(),
  }),
  /** The server said no, for one of the reasons of a `ChatFailure`. Whatever the kind, the attempt is not billed. */
  z.object({
    t: z.literal('fail'),
    k: key,
    a: count,
    kind: z.enum(['again', 'final', 'refused', 'quota', 'stop']),
    status: z.number().nullable(),
    message: z.string(),
  }),
  z.discriminatedUnion('state', [
    /** Durable before the file is uploaded under the name `file`: from here on the batch may be on the server. */
    z.object({ ...batch, state: z.literal('planned'), keys: count, file: z.string() }),
    /** The server has its file, under the name `upload`. */
    z.object({ ...batch, state: z.literal('uploaded'), upload: z.string() }),
    /** The server works on it, under `id`. */
    z.object({ ...batch, state: z.literal('open'), id: z.string() }),
    /** Its answers are in the log, all that there will be; `status` is the server's last word. */
    z.object({ ...batch, state: z.literal('ended'), id: z.string(), status: z.string() }),
  ]),
]);
export type LogRecord = z.infer<typeof logRecord>;
type RecordOf<T extends LogRecord['t']> = Extract<LogRecord, { t: T }>;
export type BatchRecord = RecordOf<'batch'>;
type FailRecord = RecordOf<'fail'>;

/** What the index wants to know of a record; the raw reply and the texts stay on the disk. */
export type RecordHead =
  | Omit<RecordOf<'intent'>, 'model' | 'teacher'>
  | Omit<RecordOf<'done'>, 'rid' | 'raw'>
  | Omit<RecordOf<'fail'>, 'status' | 'message'>
  | BatchRecord;

/** An attempt at a call. */
interface AttemptOf {
  readonly key: string;
  readonly attempt: number;
}

/** `usd`, `input` and `output`: what the reply took, in dollars and tokens; `recovered`: found again in a server's store. */
export function doneRecord(
  { key, attempt }: AttemptOf,
  { requestId = null, raw }: Pick<ChatReply, 'raw'> & { readonly requestId?: string | null | undefined },
  { usd, input, output, recovered }: { usd: number | null; input: number; output: number; recovered: boolean },
): LogRecord {
  return { t: 'done', k: key, a: attempt, usd, in: input, out: output, recovered, rid: requestId, raw };
}

export function failRecord(
  { key, attempt }: AttemptOf,
  { kind, status = null, message }: Pick<ChatFailure, 'kind' | 'message'> & { readonly status?: number | null | undefined },
): LogRecord {
  return { t: 'fail', k: key, a: attempt, kind, status, message };
}

/** Bytes of a line before its JSON: the checksum and a blank. */
const PREFIX = 9;

/** `CRC-32 of the JSON in 8 hex digits, blank, JSON, newline`. JSON has no raw newline, so a line is a record. */
export function encodeRecord(record: LogRecord): Buffer {
  const json = JSON.stringify(inOrder(record));
  const line = Buffer.allocUnsafe(PREFIX + Buffer.byteLength(json) + 1);
  line.write(json, PREFIX);
  line[line.length - 1] = 10;
  const sum = crc32(line.subarray(PREFIX, -1));
  line.write(`${sum.toString(16).padStart(8, '0')} `, 0, 'latin1');
  return line;
}

/** The members in the order that `readHead` knows: it would not see a batch that is named after the model. */
function inOrder(record: LogRecord): LogRecord {
  if (record.t === 'intent') {
    const { t, k, a, at, est, b, model, teacher } = record;
    return { t, k, a, at, est, b, model, teacher };
  }
  return record.t === 'done' ? { ...record, in: wholeCount(record.in), out: wholeCount(record.out) } : record;
}

/** A server that counts its tokens in halves must not make an answer unreadable that was paid for. */
function wholeCount(tokens: number): number {
  return tokens > 0 ? Math.min(Math.round(tokens), MOST) : 0;
}

/** `undefined` for a torn, damaged or foreign line, which comes without its newline. */
export function decodeRecord(line: Buffer): LogRecord | undefined {
  return isWhole(line) ? parse(line) : undefined;
}

/**
 * As much of a record as the index needs. A head that is written exactly as `encodeRecord` writes it is read without the
 * rest, whose bytes the checksum vouches for; every other goes the long way.
 */
export function readHead(line: Buffer): RecordHead | undefined {
  return isWhole(line) ? (shortHead(line) ?? parse(line)) : undefined;
}

function parse(line: Buffer): LogRecord | undefined {
  try {
    return logRecord.safeParse(JSON.parse(line.toString('utf8', PREFIX))).data;
  } catch {
    return undefined;
  }
}

function isWhole(line: Buffer): boolean {
  if (line[PREFIX - 1] !== 32) return false;
  let sum = 0;
  for (let at = 0; at < PREFIX - 1; at += 1) {
    const digit = hexDigit(line[at] as number);
    if (digit < 0) return false;
    sum = sum * 16 + digit;
  }
  return crc32(line.subarray(PREFIX)) === sum;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  return byte >= 97 && byte <= 102 ? byte - 87 : -1;
}

/** Longest head: two keys and five numbers. */
const HEAD_BYTES = 320;
const START = '^\\{"t":"(intent|done|fail)","k":"([0-9a-f]{64})","a":(\\d{1,9}),';
const NUMBER = '-?\\d+(?:\\.\\d+)?(?:e[+-]\\d+)?';
const HEAD = new RegExp(
  `${START}(?:"usd":(null|${NUMBER}),"in":(\\d{1,9}),"out":(\\d{1,9}),"recovered":(true|false),"rid":|` +
    `"at":(${NUMBER}),"est":(null|${NUMBER}),(?:"b":"([0-9a-f]{64})",)?"model":|"kind":"(again|final|refused|quota|stop)","status":)`,
);

function shortHead(line: Buffer): RecordHead | undefined {
  const match = HEAD.exec(line.toString('latin1', PREFIX, PREFIX + HEAD_BYTES));
  if (match === null) return undefined;
  const [, t, k, attempt, usd, input, out, recovered, at, est, b, kind] = match as unknown as [string, ...string[]];
  const a = Number(attempt);
  const call = k as string;
  if (t === 'done' && usd !== undefined)
    return {
      t: 'done',
      k: call,
      a,
      usd: numberOrNull(usd),
      in: Number(input),
      out: Number(out),
      recovered: recovered === 'true',
    };
  if (t === 'intent' && est !== undefined) return { t: 'intent', k: call, a, at: Number(at), est: numberOrNull(est), b };
  if (t === 'fail' && kind !== undefined) return { t: 'fail', k: call, a, kind: kind as FailRecord['kind'] };
  return undefined;
}

function numberOrNull(text: string): number | null {
  return text === 'null' ? null : Number(text);
}
