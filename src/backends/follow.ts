import { setTimeout as sleep } from 'node:timers/promises';
import { type Line, objectIn } from '../base/ndjson.ts';
import { ZephyrError } from '../errors.ts';
import { isAlive, type JobEvent, type JobHandle, type JobResult, type JobState, jobEvent } from '../model/job.ts';
import type { Backend } from './backend.ts';
import type { Scheduler } from './scheduler.ts';
import type { JobEnd } from './workspace.ts';

export type Followed =
  | {
      readonly type: 'event';
      readonly event: JobEvent;
      /** byte offset in events.jsonl from which a later follower goes on */
      readonly offset: number;
    }
  /** what the job waits for, and then that it runs; said of a job that waits only, whenever it changes */
  | { readonly type: 'state'; readonly state: WaitingState | RunningState }
  | { readonly type: 'note'; readonly message: string }
  | {
      readonly type: 'ended';
      readonly state: EndedState;
      readonly result: JobResult | undefined;
      readonly logTail: readonly string[];
    };

type WaitingState = Extract<JobState, { state: 'queued' | 'starting' }>;
type RunningState = Extract<JobState, { state: 'running' }>;
/** `queued`: the job can never start. */
export type EndedState = Extract<JobState, { state: 'exited' | 'absent' | 'queued' }>;

export interface FollowOptions {
  /** Ends the stream without an `ended`; the job goes on. */
  readonly signal?: AbortSignal;
  readonly offset?: number;
  /** milliseconds between two looks at the events, in place of the workspace's */
  readonly pollMs?: number;
  /** milliseconds between two questions to the scheduler while nothing points to an end, in place of its own */
  readonly statePollMs?: number;
}

/** A scheduler that does not answer is mentioned after this many times in a row, and asked ever more rarely. */
const SILENCES_BEFORE_NOTE = 5;
/** The longest pause between two questions to a scheduler that does not answer, in its time between two questions. */
const LONGEST_PAUSE = 30;
/** Two answers, because one may be a list that lags behind. */
const ABSENCES = 2;

/**
 * The events of a job as it writes them, then how it ended. The scheduler is the truth about the end and the workspace
 * about everything else; `unknown` is waited out for as long as it takes.
 */
export async function* followJob(
  { scheduler, workspace }: Backend,
  handle: JobHandle,
  options: FollowOptions = {},
): AsyncGenerator<Followed> {
  const { signal, pollMs = workspace.pollMs } = options;
  let offset = options.offset ?? 0;
  let closing = false;
  // a job that speaks has been started, although it was waiting when the scheduler was asked last
  let isUp = false;
  const watch = new StateWatch(scheduler, options);
  while (signal?.aborted !== true) {
    // asks for the state before it reads the events, so that no event is left unread when the job has ended
    const state = await watch.look(handle, closing || (isUp && watch.waitedFor !== ''));
    const end = state !== undefined && watch.hasEnded(state) ? await workspace.end(handle.place) : undefined;
    for (const line of await workspace.events(handle.place, offset)) {
      offset = line.end;
      const item = parseLine(line);
      closing ||= isClosing(item);
      isUp = true;
      yield item;
    }
    yield* watch.told();
    if (state !== undefined && end !== undefined && watch.hasEnded(state)) {
      yield endedAs(state, end);
      return;
    }
    await sleep(pollMs, undefined, { ...(signal && { signal }) }).catch(() => undefined);
  }
}

/**
 * The supervisor of a job knows best how it ended: a scheduler may have forgotten the job, or know only that it failed. A
 * container engine may know of memory what the supervisor cannot.
 */
function endedAs(state: EndedState, { result, exit, logTail }: JobEnd): Followed {
  if (exit === undefined || state.state === 'queued') return { type: 'ended', state, result, logTail };
  const known = state.state === 'exited' ? state : { state: 'exited' as const, outOfMemory: false };
  const ended = { ...known, code: exit.code, outOfMemory: known.outOfMemory || exit.outOfMemory };
  return { type: 'ended', state: ended, result, logTail };
}

/** What a scheduler says of one job over time: when to ask it again, and what of it is news. */
class StateWatch {
  readonly scheduler: Scheduler;
  readonly everyMs: number;
  /** answers in a row that said nothing */
  silences = 0;
  absences = 0;
  /** on the clock of `performance.now()` */
  askAgainAt = 0;
  neverStartsSince: number | undefined;
  /** what was said last of a job that waits */
  waitedFor = '';
  news: Followed[] = [];

  constructor(scheduler: Scheduler, { statePollMs = scheduler.askEveryMs }: FollowOptions) {
    this.scheduler = scheduler;
    this.everyMs = statePollMs;
  }

  /** Undefined while it is too early to ask again; `isNews`: there is something new to learn, its start or its end. */
  async look(handle: JobHandle, isNews: boolean): Promise<JobState | undefined> {
    const now = performance.now();
    if (now < this.askAgainAt && (!isNews || this.silences > 0)) return undefined;
    const state = await ask(this.scheduler, handle);
    if (state.state === 'unknown') this.#silent(state.why);
    else this.#answered(state);
    return state;
  }

  #silent(why: string): void {
    this.silences += 1;
    this.askAgainAt = performance.now() + Math.min(this.everyMs * 2 ** this.silences, this.everyMs * LONGEST_PAUSE);
    if (this.silences === SILENCES_BEFORE_NOTE)
      this.#note(`${this.scheduler.name} does not answer (${why}); waiting, the job may well go on`);
  }

  #answered(state: JobState): void {
    if (this.silences >= SILENCES_BEFORE_NOTE) this.#note(`${this.scheduler.name} answers again`);
    this.silences = 0;
    this.askAgainAt = performance.now() + this.everyMs;
    if (state.state === 'absent') this.absences += 1;
    else if (isAlive(state)) this.absences = 0;
    this.neverStartsSince = neverStarts(state) ? (this.neverStartsSince ?? performance.now()) : undefined;
    if (state.state !== 'queued' && state.state !== 'starting' && state.state !== 'running') return;
    const waitsFor = state.state === 'running' ? '' : `${state.state} ${state.why ?? ''}`;
    if (waitsFor !== this.waitedFor) this.news.push({ type: 'state', state });
    this.waitedFor = waitsFor;
  }

  #note(message: string): void {
    this.news.push({ type: 'note', message });
  }

  /** What is news since the last time. */
  told(): Followed[] {
    const { news } = this;
    this.news = [];
    return news;
  }

  hasEnded(state: JobState): state is EndedState {
    if (state.state === 'exited') return true;
    if (state.state === 'absent') return this.absences >= ABSENCES;
    return this.neverStartsSince !== undefined && performance.now() - this.neverStartsSince >= this.scheduler.neverStartsMs;
  }
}

function neverStarts(state: JobState): boolean {
  return state.state === 'queued' && state.canStart === false;
}

/** A service that is away has said nothing about the job. */
async function ask(scheduler: Scheduler, handle: JobHandle): Promise<JobState> {
  try {
    return await scheduler.state(handle);
  } catch (error) {
    if (!(error instanceof ZephyrError)) throw error;
    return { state: 'unknown', why: error.message };
  }
}

/** As the scheduler says, an absence only once it was said twice with its time between two questions. */
export async function surely(scheduler: Scheduler, handle: JobHandle): Promise<JobState> {
  let state = await ask(scheduler, handle);
  for (let absences = 1; state.state === 'absent' && absences < ABSENCES; absences += 1) {
    await sleep(scheduler.askEveryMs);
    state = await ask(scheduler, handle);
  }
  return state;
}

/** The program is about to leave. */
function isClosing(item: Followed): boolean {
  return item.type === 'event' && (item.event.type === 'final' || item.event.type === 'error');
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
