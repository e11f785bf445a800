import * as z from 'zod';
import type { ServerFile } from './teacher.ts';

const file = z.looseObject({
  id: z.string().min(1),
  status: z.string().nullish().catch(undefined),
  status_details: z.unknown().optional(),
});

/** Words of servers for a file that no batch may name yet; OpenAI, whose word is `uploaded`, takes it at once. */
const PENDING = /^(pending|processing|validating|queued|running|in_progress|uploading|received|scanning)$/;
const FAILED = /^(error|failed|rejected|invalid|deleted|expired)$/;

/** Reads the answer of a server to a request about a file; throws when it is none. What it says in words of its own is tried. */
export function serverFile(said: unknown): ServerFile {
  const { data } = file.safeParse(said);
  if (data === undefined) throw new Error(`The answer is not a file: ${JSON.stringify(said)?.slice(0, 120)}`);
  const word = data.status?.toLowerCase() ?? '';
  const state = PENDING.test(word) ? 'pending' : FAILED.test(word) ? 'failed' : 'ready';
  const { status_details: details } = data;
  const why =
    state === 'failed' ? `its status is "${data.status}"${typeof details === 'string' ? `: ${details}` : ''}` : undefined;
  return { id: data.id, state, why };
}

const NOT_READY =
  /\bfile\b.*(not (yet |been |fully )*(processed|ready|available)|still (being )?process|is (still )?(pending|processing))/is;

/** Whether a batch was refused since its file is not processed yet. */
export function isNotReady(status: number | undefined, code: string | null | undefined, message: string): boolean {
  if (status === undefined || status < 400 || status >= 500) return false;
  return code === 'invalid_file_status' || code === 'file_not_ready' || NOT_READY.test(message);
}
