import { sha256 } from '../../src/base/sha256.ts';
import type { LogRecord } from '../../src/calls/record.ts';

type Of<T extends LogRecord['t']> = Extract<LogRecord, { t: T }>;

/** Records of the call number `n`, for logs of one's own making. */
export const keyOf = (n: number): string => sha256(`call ${n}`);

export const intentRecord = (n: number, more: Partial<Of<'intent'>> = {}): LogRecord => ({
  t: 'intent',
  k: keyOf(n),
  a: 1,
  at: 1000,
  est: 0.25,
  model: 'm',
  teacher: 't',
  ...more,
});
export const doneRecord = (n: number, text = `reply ${n}`, more: Partial<Of<'done'>> = {}): LogRecord => ({
  t: 'done',
  k: keyOf(n),
  a: 1,
  usd: 0.5,
  in: 3,
  out: 2,
  recovered: false,
  rid: `r${n}`,
  raw: rawReply(text),
  ...more,
});
export const failRecord = (n: number, kind: Of<'fail'>['kind'], a = 1): LogRecord => ({
  t: 'fail',
  k: keyOf(n),
  a,
  kind,
  status: 400,
  message: 'no',
});
export const rawReply = (content: string) => ({
  choices: [{ finish_reason: 'stop', message: { content } }],
  usage: { prompt_tokens: 3, completion_tokens: 2 },
});
