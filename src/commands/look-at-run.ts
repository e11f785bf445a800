import { join } from 'node:path';
import { parseJobEvent } from '../backends/follow.ts';
import { driverState } from '../engine/driver.ts';
import { EventLogReader, type LogLine } from '../engine/event-log.ts';
import { formatRef } from '../model/artifact.ts';
import type { RunEvent } from '../model/event.ts';
import type { Target } from '../recipe/target.ts';
import type { RunState } from '../runs/run-state.ts';
import { openTargetBackend } from './backend.ts';
import type { Context } from './context.ts';
import { findRun } from './find-run.ts';
import type { AskedJobs } from './runs-of.ts';

/** A run as seen from this terminal; another process may work on it. */
export interface RunLook extends AskedJobs {
  readonly state: RunState;
  /** what came to the run's log since the last look */
  readonly lines: readonly LogLine[];
  /** what the job told since the last look and is not in the log; nothing of a job whose folder is on another machine */
  readonly events: readonly Extract<RunEvent, { type: 'job' }>[];
}

/** Looks at one run again and again, each time going on in the job's events where the last look ended. */
export class RunWatch {
  readonly #context: Context;
  #id: string;
  #place = '';
  #offset = 0;
  #log: EventLogReader | undefined;

  constructor(context: Context, id: string) {
    this.#context = context;
    this.#id = id;
  }

  async look(): Promise<RunLook> {
    const { hub, home } = this.#context;
    const { state, head } = await findRun(hub, this.#id);
    // the next look need not search all repos for it
    this.#id = formatRef({ ...state.repo, revision: state.run });
    this.#log ??= new EventLogReader(hub, join(home, 'jobs'), state);
    const lines = await this.#log.next(head);
    const handle = state.job?.handle;
    if (handle == null && state.driver === null) return { state, lines, events: [] };
    const { scheduler, workspace } = await openTargetBackend(this.#context, state.target as Target);
    const driver = (await driverState(scheduler, state))?.state;
    if (handle == null) return { state, driver, lines, events: [] };
    const job = await scheduler.state(handle);
    if (handle.place !== this.#place) {
      this.#place = handle.place;
      this.#offset = 0;
    }
    const told = await workspace.events(handle.place, this.#offset);
    this.#offset = told.at(-1)?.end ?? this.#offset;
    const jobEvents = told.flatMap(({ text }) => parseJobEvent(text) ?? []);
    const events = jobEvents.map((event) => ({ type: 'job', stage: state.stage, step: handle.labels.step, event }) as const);
    return { state, job, driver, lines, events: events.filter((event) => this.#log?.isNew(event)) };
  }
}
