import { crc32 } from 'node:zlib';
import * as z from 'zod';

const key = z.string().regex(/^[0-9a-f]{64}$/);

/** A line of the call log. `k` is the call's key, `a` counts its attempts from 1, `at` is milliseconds since 1970. */
const logRecord = z.discriminatedUnion('t', [
  /** Durable before the request leaves: from here on the call may cost money. */
  z.object({ t: z.literal('intent'), k: key, a: z.int(), at: z.number(), model: z.string(), teacher: z.string() }),
  /** Durable before anybody reads the reply: `raw` is its body as the server sent it, `usd` its price or null. */
  z.object({
    t: z.literal('done'),
    k: key,
    a: z.int(),
    rid: z.string().nullable(),
    usd: z.number().nullable(),
    recovered: z.boolean(),
    raw: z.unknown(),
  }),
  /** The server said no; with `final` it will always say so. */
  z.object({
    t: z.literal('fail'),
    k: key,
    a: z.int(),
    kind: z.enum(['again', 'final', 'stop']),
    status: z.number().nullable(),
    message: z.string(),
  }),
]);
export type LogRecord = z.infer<typeof logRecord>;

/** `CRC-32 of the JSON in 8 hex digits, blank, JSON, newline`. JSON has no raw newline, so a line is a record. */
export function encodeRecord(record: LogRecord): Buffer {
  const json = JSON.stringify(record);
  return Buffer.from(`${checksum(json)} ${json}\n`);
}

/** `undefined` for a torn, damaged or foreign line. `text` is without its newline. */
export function decodeRecord(text: string): LogRecord | undefined {
  const json = text.slice(9);
  if (text[8] !== ' ' || text.slice(0, 8) !== checksum(json)) return undefined;
  return logRecord.safeParse(JSON.parse(json)).data;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}
