import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe, setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { jsonLine } from '../base/ndjson.ts';
import { answerChat } from './answering.ts';
import { countTokens } from './completion.ts';
import type { Files } from './files.ts';
import { MODELS } from './reply.ts';
import { chatRequest } from './requests.ts';
import type { PracticeState } from './state.ts';

export interface BatchError {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  readonly line: number | null;
}

export interface BatchObject {
  readonly id: string;
  readonly object: 'batch';
  readonly endpoint: string;
  readonly input_file_id: string;
  readonly completion_window: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  /** seconds since 1970 */
  readonly created_at: number;
  status: 'validating' | 'failed' | 'in_progress' | 'finalizing' | 'completed' | 'expired' | 'cancelling' | 'cancelled';
  errors: { readonly object: 'list'; readonly data: readonly BatchError[] } | null;
  output_file_id: string | null;
  error_file_id: string | null;
  request_counts: { total: number; completed: number; failed: number };
}

const requestLine = z.looseObject({
  custom_id: z.string().min(1).max(512),
  method: z.literal('POST'),
  url: z.literal('/v1/chat/completions'),
  body: chatRequest,
});

interface BatchRequest {
  readonly customId: string;
  /** the body as JSON text, as a live call would send it */
  readonly text: string;
  readonly tokens: number;
}

export interface BatchSetting {
  readonly state: PracticeState;
  readonly files: Files;
  readonly save: (batch: BatchObject) => Promise<void>;
  /** Input tokens of the other batches that are not finished. */
  readonly queued: (batch: BatchObject) => number;
  /** Sets the input tokens of a batch. */
  readonly count: (batch: BatchObject, tokens: number) => void;
}

/** Milliseconds between two checks of whether a waiting batch was cancelled. */
const LOOK_MS = 20;

/** Requests that the server answers between two checks of whether the batch was cancelled. */
const STRETCH = 50;

/** Takes a batch from its creation to its end. Throws when the server closes. */
export async function workOn(setting: BatchSetting, batch: BatchObject): Promise<void> {
  const { state, files, save, queued, count } = setting;
  const until = Date.now() + state.faults.batchDelay();
  while (Date.now() < until && !isCancelling(batch))
    await delay(Math.min(LOOK_MS, until - Date.now()), undefined, { signal: state.closing });
  // if the client has deleted the file meanwhile, the batch has no requests
  const { asked, errors } = readRequests(await files.read(batch.input_file_id).catch(() => ''));
  const tokens = asked.reduce((sum, each) => sum + each.tokens, 0);
  const refusal = state.faults.batchRefusal(tokens, queued(batch));
  if (refusal !== undefined) errors.push(fault(refusal.code ?? '', refusal.message));
  if (errors.length > 0) {
    batch.status = 'failed';
    batch.errors = { object: 'list', data: errors };
    return save(batch);
  }
  count(batch, tokens);
  batch.request_counts.total = asked.length;
  if (batch.status === 'validating') batch.status = 'in_progress';
  await save(batch);

  const outcome = state.faults.batch();
  const within = asked.slice(0, Math.floor(asked.length * outcome.share));
  const path = join(await files.folder(), `${batch.id}.answers`);
  const answers = await answerAll(setting, batch, outcome.isOverloaded, { asked: within, path });
  const status = isCancelling(batch) ? 'cancelled' : outcome.status;
  const late = status === 'expired' ? asked.slice(within.length).map(({ customId }) => lineOf(customId, null, EXPIRED)) : [];
  await finish(setting, batch, status, { answers, late });
  await rm(path, { force: true });
}

/** The answers in the order of the requests. The file at `path` keeps them, so that a server started anew does not answer twice. */
async function answerAll(
  { state }: BatchSetting,
  batch: BatchObject,
  isOverloaded: boolean,
  { asked, path }: { readonly asked: readonly BatchRequest[]; readonly path: string },
): Promise<BatchAnswer[]> {
  const answers = openAnswers(path);
  for (const [at, each] of asked.entries()) {
    if (answers.done.has(each.customId)) continue;
    if (at % STRETCH === 0) await breathe();
    if (state.closing.aborted || isCancelling(batch)) break;
    const { status, body } = isOverloaded ? OVERLOADED : await answerChat(state, each.text);
    const line = lineOf(each.customId, { status_code: status, request_id: `req-${at}`, body }, null);
    answers.add({ customId: each.customId, ok: status === 200, line });
  }
  answers.close();
  state.closing.throwIfAborted();
  return [...answers.done.values()];
}

/** `late`: the lines of requests that were not answered in time. */
async function finish(
  { state, files, save }: BatchSetting,
  batch: BatchObject,
  status: BatchObject['status'],
  { answers, late }: { readonly answers: readonly BatchAnswer[]; readonly late: readonly string[] },
): Promise<void> {
  const output = answers.filter(({ ok }) => ok).map(({ line }) => line);
  const failed = [...answers.filter(({ ok }) => !ok).map(({ line }) => line), ...late];
  const request_counts = { total: batch.request_counts.total, completed: output.length, failed: failed.length };
  const output_file_id = await write(files, `${batch.id}_output.jsonl`, state.faults.batchOutput(batch.id, output));
  const error_file_id = await write(files, `${batch.id}_error.jsonl`, failed);
  // set in one step, so that no caller finds the batch ended and without its files
  Object.assign(batch, { status, request_counts, output_file_id, error_file_id });
  await save(batch);
}

interface BatchAnswer {
  readonly customId: string;
  readonly ok: boolean;
  readonly line: string;
}

function openAnswers(path: string) {
  const done = new Map<string, BatchAnswer>();
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  // a killed server may have written half of the last line, which then has no newline
  for (const line of text.split('\n').slice(0, -1)) take(JSON.parse(line) as BatchAnswer);
  const file = openSync(path, 'w');
  for (const answer of done.values()) writeSync(file, jsonLine(answer));
  function take(answer: BatchAnswer): void {
    done.set(answer.customId, answer);
  }
  return {
    done: done as ReadonlyMap<string, BatchAnswer>,
    add(answer: BatchAnswer): void {
      writeSync(file, jsonLine(answer));
      take(answer);
    },
    close: () => closeSync(file),
  };
}

const isCancelling = ({ status }: BatchObject) => status === 'cancelling';

const OVERLOADED = { status: 503, body: { error: { message: 'The engine is overloaded', type: 'server_error', code: null } } };
const EXPIRED = { code: 'batch_expired', message: 'This request could not be executed before the completion window expired.' };

const fault = (code: string, message: string, line: number | null = null): BatchError => ({ code, message, param: null, line });

function readRequests(text: string): { asked: BatchRequest[]; errors: BatchError[] } {
  const asked: BatchRequest[] = [];
  const errors: BatchError[] = [];
  const ids = new Set<string>();
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const request = parseRequest(line);
    if (request === undefined) errors.push(fault('invalid_json_line', 'This line is not a chat completion request.', at + 1));
    else if (ids.has(request.custom_id)) errors.push(fault('duplicate_custom_id', 'The custom_id is not unique.', at + 1));
    else if (!MODELS.some((model) => model === request.body.model.split('+')[0]))
      errors.push(fault('model_not_found', `The model "${request.body.model}" does not exist.`, at + 1));
    else {
      ids.add(request.custom_id);
      const tokens = request.body.messages.reduce((sum, { content }) => sum + countTokens(content) + 3, 0);
      asked.push({ customId: request.custom_id, text: bodyText(line), tokens });
    }
  }
  if (asked.length === 0 && errors.length === 0) errors.push(fault('empty_file', 'The input file is empty.'));
  return { asked, errors };
}

/** The body in the words of the file, so that it is drawn for as the same body sent live would be. */
function bodyText(line: string): string {
  return JSON.stringify((JSON.parse(line) as { readonly body: unknown }).body);
}

function parseRequest(line: string): z.infer<typeof requestLine> | undefined {
  try {
    return requestLine.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

function lineOf(customId: string, response: unknown, error: unknown): string {
  return JSON.stringify({ id: `batch_req_${customId}`, custom_id: customId, response, error });
}

async function write(files: Files, name: string, lines: readonly string[]): Promise<string | null> {
  if (lines.length === 0) return null;
  return (await files.add(name, 'batch_output', Buffer.from(`${lines.join('\n')}\n`))).id;
}
