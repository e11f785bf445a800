import { openAsBlob } from 'node:fs';
import { Readable } from 'node:stream';
import { APIError, type OpenAI } from 'openai';
import * as z from 'zod';
import { jsonText, linesIn } from '../base/ndjson.ts';
import { readBatchLine } from './batch-line.ts';
import { chatBody } from './body.ts';
import { withDeadline } from './deadline.ts';
import { lostFailure, statusFailure } from './failure.ts';
import { headersOf } from './headers.ts';
import { openaiClient } from './openai.ts';
import { serverBatch } from './server-batch.ts';
import type { TeacherSpec } from './spec.ts';
import type { BatchApi, BatchLine, BatchSaid, ChatAnswer, ChatFailure, ServerBatch, ServerFile } from './teacher.ts';

/** A file of 200 MB over a slow line. */
const UPLOAD_MS = 3_600_000;

/** Batches a page: OpenAI's most. */
const PAGE = 100;

const listPage = z.looseObject({
  data: z.array(z.looseObject({ id: z.string(), metadata: z.record(z.string(), z.unknown()).nullish().catch(undefined) })),
  has_more: z.boolean().nullish().catch(undefined),
});

/** OpenAI's Batch API, which other servers speak too: platform.openai.com/docs/api-reference/batch */
export function openaiBatch(
  spec: TeacherSpec & { readonly batch: NonNullable<TeacherSpec['batch']> },
  baseUrl: string,
  secret: string | undefined,
): BatchApi {
  const { requests, megabytes, queuedTokens, pollSeconds } = spec.batch;
  const timeoutMs = spec.timeoutSeconds * 1000;
  const client = openaiClient(spec, baseUrl, secret);

  /** One request, its outcome as data. `ms`: for all of it. */
  const say = <T>(signal: AbortSignal, ms: number, send: (signal: AbortSignal) => Promise<T>): Promise<BatchSaid<T>> =>
    withDeadline(signal, ms, async (both) => {
      try {
        return { ok: true, value: await send(both) };
      } catch (error) {
        return { ok: false, failure: failureOf(error, both) };
      }
    });

  return {
    requests,
    bytes: megabytes * 1e6,
    queuedTokens,
    pollMs: pollSeconds * 1000,
    settleMs: timeoutMs,
    body: (request) => jsonText(chatBody(request, spec)),
    line: (customId, body) => `{"custom_id":"${customId}","method":"POST","url":"/v1/chat/completions","body":${body}}`,

    upload: (path, name, signal) =>
      say(signal, UPLOAD_MS, async (both) => {
        // The body is read while it is sent and has a known length, since not every server takes chunks.
        const file = new File([await openAsBlob(path)], name, { type: 'application/jsonl' });
        return serverFile(await client.files.create({ file, purpose: 'batch' }, { signal: both, timeout: UPLOAD_MS }));
      }),

    file: (id, signal) => say(signal, timeoutMs, async (both) => serverFile(await client.files.retrieve(id, { signal: both }))),

    create: (file, metadata, signal) => say(signal, timeoutMs, (both) => createBatch(client, file, metadata, both)),

    retrieve: (id, signal) =>
      say(signal, timeoutMs, async (both) => serverBatch(await client.batches.retrieve(id, { signal: both }))),

    cancel: (id, signal) =>
      say(signal, timeoutMs, async (both) => serverBatch(await client.batches.cancel(id, { signal: both }))),

    find: (metadata, signal) => say(signal, UPLOAD_MS, (both) => findBatches(client, metadata, both)),

    async read(file, take, signal) {
      const opened = await say(signal, timeoutMs, (both) => client.files.content(file, { signal: both }).asResponse());
      return opened.ok ? readLines(opened.value, take, signal) : opened;
    },
  };
}

type Metadata = Readonly<Record<string, string>>;

async function createBatch(client: OpenAI, file: string, metadata: Metadata, signal: AbortSignal) {
  try {
    return serverBatch(
      await client.batches.create(
        { input_file_id: file, endpoint: '/v1/chat/completions', completion_window: '24h', metadata },
        { signal },
      ),
    );
  } catch (error) {
    if (error instanceof APIError && isNotReady(error.status, error.code, error.message)) return undefined;
    throw error;
  }
}

/** Reads all pages of the list, which cannot be asked for metadata. */
async function findBatches(client: OpenAI, metadata: Metadata, signal: AbortSignal): Promise<ServerBatch[]> {
  const found: ServerBatch[] = [];
  const wanted = Object.entries(metadata);
  for (let after: string | undefined; ; ) {
    const query = { limit: PAGE, ...(after === undefined ? {} : { after }) };
    const page = listPage.safeParse(await client.get('/batches', { query, signal })).data;
    // An empty list would say that there is no such batch, and it would be paid again.
    if (page === undefined) throw new Error('The answer is not a list of batches');
    const last = page.data.at(-1)?.id;
    // Some servers know no pages and give the same one for ever.
    if (last === undefined || last === after) return found;
    const ours = page.data.filter((batch) => wanted.every(([name, value]) => batch.metadata?.[name] === value));
    found.push(...ours.map(serverBatch));
    if (page.has_more === false) return found;
    after = last;
  }
}

async function readLines({ body }: Response, take: Parameters<BatchApi['read']>[1], signal: AbortSignal) {
  if (body === null) return { ok: true, value: undefined } as const;
  const pieces = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0], { signal });
  const lines = linesIn(pieces);
  try {
    for (;;) {
      // Only errors of the network become data; an error of `take` goes to the caller.
      const next = await lines.next().catch((error: unknown) => failureOf(error, signal));
      if ('kind' in next) return { ok: false, failure: next } as const;
      if (next.done === true) return { ok: true, value: undefined } as const;
      await take(next.value.filter((line) => line.trim() !== '').map(readBatchLine));
    }
  } finally {
    pieces.destroy();
  }
}

function failureOf(error: unknown, signal: AbortSignal): ChatFailure {
  if (error instanceof APIError && typeof error.status === 'number') {
    // The SDK keeps the member `error` of a body; of a body without it, the whole.
    return statusFailure(error.status, { error: error.error ?? error.message }, headersOf(error.headers ?? new Headers()));
  }
  return lostFailure(signal.aborted ? signal.reason : error);
}

/** The same, with what the server says passed through `hide`. */
export function discreetBatch(batch: BatchApi, hide: (text: string) => string): BatchApi {
  function quiet<Said extends BatchSaid<unknown> | ChatAnswer>(said: Said): Said {
    return said.ok ? said : { ...said, failure: { ...said.failure, message: hide(said.failure.message) } };
  }
  const quietLine = (line: BatchLine): BatchLine =>
    line.customId === undefined ? line : { ...line, answer: quiet(line.answer) };
  return {
    ...batch,
    upload: async (path, name, signal) => quiet(await batch.upload(path, name, signal)),
    file: async (id, signal) => quiet(await batch.file(id, signal)),
    create: async (file, metadata, signal) => quiet(await batch.create(file, metadata, signal)),
    retrieve: async (id, signal) => quiet(await batch.retrieve(id, signal)),
    find: async (metadata, signal) => quiet(await batch.find(metadata, signal)),
    read: async (file, take, signal) => quiet(await batch.read(file, (lines) => take(lines.map(quietLine)), signal)),
    cancel: async (id, signal) => quiet(await batch.cancel(id, signal)),
  };
}

const file = z.looseObject({
  id: z.string().min(1),
  status: z.string().nullish().catch(undefined),
  status_details: z.unknown().optional(),
});

/** Words of servers for a file that no batch may name yet; OpenAI, whose word is `uploaded`, takes it at once. */
const PENDING = /^(pending|processing|validating|queued|running|in_progress|uploading|received|scanning)$/;
const FAILED = /^(error|failed|rejected|invalid|deleted|expired)$/;

/** Reads the answer of a server to a request about a file; throws when it is none. What it says in words of its own is tried. */
function serverFile(said: unknown): ServerFile {
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
function isNotReady(status: number | undefined, code: string | null | undefined, message: string): boolean {
  if (status === undefined || status < 400 || status >= 500) return false;
  return code === 'invalid_file_status' || code === 'file_not_ready' || NOT_READY.test(message);
}
