import * as z from 'zod';
import { unreadStatus } from './body.ts';
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

/** Reads a line of a batch's output or error file. Servers put a failed request into either. */
export function readBatchLine(text: string): BatchLine {
  const line = parse(text);
  return line === undefined ? { customId: undefined, text } : { customId: line.custom_id, answer: answerOf(line) };
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
  return again(`The answer is not a chat completion: ${JSON.stringify(body ?? null).slice(0, 120)}`, unreadStatus(status, body));
}

function again(message: string, status: number | undefined): ChatAnswer {
  return { ok: false, failure: { kind: 'again', message, status, afterMs: undefined } };
}
