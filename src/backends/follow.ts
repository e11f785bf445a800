import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Line, objectIn, readLinesFrom } from '../base/ndjson.ts';
import { type JobEvent, type JobHandle, type JobResult, type JobState, jobEvent, jobResult } from '../model/job.ts';
import type { Backend } from './backend.ts';
import { readIfThere } from './job-folder.ts';

export type Followed =
  | {
      readonly type: 'event';
      readonly event: JobEvent;
      /** byte offset in events.jsonl from which a later follower goes on */
      readonly offset: number;
    }
  | { readonly type: 'note'; readonly message: string }
  | {
      readonly type: 'ended';
      readonly state: EndedState;
      readonly result: JobResult | undefined;
      readonly logTail: readonly string[];
    };

export type EndedState = Extract<JobState, { state: 'exited' | 'absent' }>;

export interface FollowOptions {
  /** Ends the stream without an `ended`; the job goes on. */
  readonly signal?: AbortSignal;
  readonly offset?: number;
  /** milliseconds between two looks at events.jsonl */
  readonly pollMs?: number;
  /** milliseconds between two questions to the backend while nothing points to an end */
  readonly statePollMs?: number;
}

/** A backend that does not answer is mentioned after this many times in a row, and asked ever more rarely. */
const SILENCES_BEFORE_NOTE = 5;
const LONGEST_PAUSE_MS = 30_000;
/** Two answers, because one may be a list that lags behind. */
const ABSENCES = 2;
const TAIL_LINES = 40;
const TAIL_BYTES = 32 * 1024;

/**
 * The events of a job as it writes them, then how it ended. The backend is the truth about the end and the job folder
 * about everything else; `unknown` is waited out for as long as it takes.
 */
export async function* followJob(backend: Backend, handle: JobHandle, options: FollowOptions = {}): AsyncGenerator<Followed> {
  const { signal, pollMs = 200, statePollMs = 1000 } = options;
  let offset = options.offset ?? 0;
  let silences = 0;
  let absences = 0;
  let nextQuestion = 0;
  while (signal?.aborted !== true) {
    // asked before the events are read, so that after an end nothing is left unread
    const state = performance.now() >= nextQuestion ? await backend.state(handle) : undefined;
    let closing = false;
    for (const line of await readLinesFrom(join(handle.folder, 'events.jsonl'), offset)) {
      offset = line.end;
      const item = parseLine(line);
      closing ||= item.type === 'event' && (item.event.type === 'final' || item.event.type === 'error');
      yield item;
    }
    absences = state?.state === 'absent' ? absences + 1 : absences;
    if (state?.state === 'exited' || (state?.state === 'absent' && absences >= ABSENCES)) {
      yield { type: 'ended', state, result: await readResult(handle.folder), logTail: await readLogTail(handle.folder) };
      return;
    }
    if (state?.state === 'unknown') {
      silences += 1;
      nextQuestion = performance.now() + Math.min(statePollMs * 2 ** silences, LONGEST_PAUSE_MS);
      if (silences === SILENCES_BEFORE_NOTE)
        yield { type: 'note', message: `${backend.name} does not answer (${state.why}); waiting, the job may well go on` };
    } else if (state !== undefined) {
      if (silences >= SILENCES_BEFORE_NOTE) yield { type: 'note', message: `${backend.name} answers again` };
      silences = 0;
      if (state.state === 'running') absences = 0;
      nextQuestion = performance.now() + statePollMs;
    }
    // the program is about to leave, or has left its result: the end is near
    if (silences === 0 && (closing || (await isThere(join(handle.folder, 'result.json'))))) nextQuestion = 0;
    await sleep(pollMs, undefined, { ...(signal && { signal }) }).catch(() => undefined);
  }
}

function parseLine(line: Line): Followed {
  const event = parseJobEvent(line.text);
  if (event !== undefined) return { type: 'event', event, offset: line.end };
  return {
    type: 'note',
    message: `Passed over a line of events.jsonl that is not an event: ${JSON.stringify(line.text.slice(0, 200))}`,
  };
}

/** The event that a line of `events.jsonl` holds; undefined where it holds none. */
export function parseJobEvent(text: string): JobEvent | undefined {
  return jobEvent.safeParse(objectIn(text)).data;
}

/** `result.json`, or undefined when it is missing or not what the contract says: then nothing is proved. */
async function readResult(folder: string): Promise<JobResult | undefined> {
  const text = await readIfThere(join(folder, 'result.json'));
  if (text === undefined) return undefined;
  try {
    return jobResult.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The last lines of log.txt; of a progress bar that redraws itself, its last state. */
export async function readLogTail(folder: string, lines = TAIL_LINES): Promise<string[]> {
  const path = join(folder, 'log.txt');
  if (!(await isThere(path))) return [];
  await using file = await open(path);
  const { size } = await file.stat();
  const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
  const { bytesRead } = await file.read(bytes, 0, bytes.length, size - bytes.length);
  const text = bytes.toString('utf8', 0, bytesRead).split('\n');
  if (size > bytes.length) text.shift();
  return text
    .map((line) => line.replace(/\r$/, '').replace(/^.*\r/s, ''))
    .filter((line) => line !== '')
    .slice(-lines);
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
