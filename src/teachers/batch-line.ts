import * as z from 'zod';
import { unread, unreadStatus } from './body.ts';
import { statusFailure } from './failure.ts';
import { readReply } from './reply.ts';
import type { BatchLine, ChatAnswer } from './teacher.ts';

const resultLine = z.looseObject({
  custom_id: z.string(),
  response: z.looseObject({ status_code: z.number(), request_id: z.string().nullish(), body: z.unknown().optional() }).nullish(),
  error: z.looseObject({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
});
type ResultLine = z.infer<typeof resultLine>;

/** What an error of the batch, not of the model, says as a status: nothing was sent to the model, so nothing is billed. */
const NOT_SENT = 0;

const CUSTOM_ID = /"custom_id"\s*:\s*"([\w-]+)"/;

/** Reads a line of a batch's output or error file. Servers put a failed request into either. */
export function readBatchLine(text: string): BatchLine {
  const line = parse(text);
  if (line !== undefined) return { customId: line.custom_id, answer: answerOf(line) };
  // A damaged line may still tell which call it answered.
  const customId = CUSTOM_ID.exec(text)?.[1];
  if (customId === undefined) return { customId, text };
  return { customId, answer: { ok: false, failure: unread('The line of its answer cannot be read', undefined) } };
}

function parse(text: string): ResultLine | undefined {
  try {
    return resultLine.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function answerOf({ response, error }: ResultLine): ChatAnswer {
  if (response == null) return again([error?.code, error?.message].filter(Boolean).join(': ') || 'no reason given', NOT_SENT);
  const { status_code: status, request_id: requestId, body } = response;
  if (status < 200 || status > 299) return { ok: false, failure: statusFailure(status, body, () => undefined) };
  const reply = readReply(body, requestId ?? undefined);
  if (reply !== undefined) return { ok: true, reply };
  const failure = unread(
    `The answer is not a chat completion: ${JSON.stringify(body ?? null).slice(0, 120)}`,
    unreadStatus(status, body),
  );
  return { ok: false, failure };
}

function again(message: string, status: number | undefined): ChatAnswer {
  return { ok: false, failure: { kind: 'again', message, status, afterMs: undefined } };
}
