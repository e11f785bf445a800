import * as z from 'zod';
import type { ServerBatch } from './teacher.ts';

/** As much of a batch as zephyr reads; what a server leaves out or says in another way, but for its name, is not there. */
const batch = z.looseObject({
  id: z.string().min(1),
  // A batch that has a name is there, and paid, whatever else is said of it.
  status: z.string().min(1).catch('unknown'),
  output_file_id: z.string().nullish().catch(undefined),
  error_file_id: z.string().nullish().catch(undefined),
  created_at: z.unknown().optional(),
  expires_at: z.unknown().optional(),
  request_counts: z.looseObject({ completed: z.number().nullish() }).nullish().catch(undefined),
  errors: z
    .looseObject({
      data: z.array(z.looseObject({ code: z.string().nullish(), message: z.string().nullish(), line: z.number().nullish() })),
    })
    .nullish()
    .catch(undefined),
});

/**
 * Words of other servers, in OpenAI's. Mistral: QUEUED, RUNNING, SUCCESS, TIMEOUT_EXCEEDED, CANCELLATION_REQUESTED; Google:
 * BATCH_STATE_PENDING, ..._SUCCEEDED; Anthropic: ended, canceling; Together has OpenAI's in capitals.
 */
const WORDS: Readonly<Record<string, string>> = {
  queued: 'validating',
  pending: 'validating',
  running: 'in_progress',
  canceling: 'cancelling',
  cancellation_requested: 'cancelling',
  complete: 'completed',
  success: 'completed',
  succeeded: 'completed',
  ended: 'completed',
  canceled: 'cancelled',
  timeout: 'expired',
  timeout_exceeded: 'expired',
};
const PREFIX = /^(batch|job)_state_/;

/** Reads the answer of a server to a request about a batch; throws when it is none. */
export function serverBatch(said: unknown): ServerBatch {
  const { data } = batch.safeParse(said);
  if (data === undefined) throw new Error(`The answer is not a batch: ${JSON.stringify(said)?.slice(0, 120)}`);
  const word = data.status.toLowerCase().replace(PREFIX, '');
  return {
    id: data.id,
    status: WORDS[word] ?? word,
    // Some servers name no file by an empty name.
    outputFile: data.output_file_id || undefined,
    errorFile: data.error_file_id || undefined,
    createdAt: timeOf(data.created_at),
    expiresAt: timeOf(data.expires_at),
    answered: data.request_counts?.completed ?? undefined,
    errors: (data.errors?.data ?? []).map(({ code, message, line }) => ({
      code: code ?? '',
      message: message ?? '',
      line: line ?? undefined,
    })),
  };
}

/** No time in seconds is so large for the next thousand years: it is in milliseconds. */
const MOST_SECONDS = 1e11;

/** Seconds since 1970, as OpenAI has it; others write a date. In milliseconds. */
function timeOf(said: unknown): number | undefined {
  const ms = typeof said === 'number' ? said * (said < MOST_SECONDS ? 1000 : 1) : Date.parse(String(said));
  return ms > 0 ? ms : undefined;
}
