import { join } from 'node:path';
import { parseJobEvent } from '../backends/follow.ts';
import { readLinesFrom } from '../base/ndjson.ts';
import { formatRef } from '../model/artifact.ts';
import type { JobEvent, JobState } from '../model/job.ts';
import type { Target } from '../recipe/target.ts';
import type { RunState } from '../runs/run-state.ts';
import { openTargetBackend } from './backend.ts';
import type { Context } from './context.ts';
import { findRun } from './find-run.ts';

/** A run as seen from this terminal, whoever works on it. */
export interface RunLook {
  readonly state: RunState;
  /** what the backend says of its job; undefined while it has none */
  readonly job: JobState | undefined;
  /** what the job told since the last look; nothing of a job whose folder is on another machine */
  readonly events: readonly JobEvent[];
}

/** Looks at one run again and again, each time going on in the job's events where the last look ended. */
export class RunWatch {
  readonly #context: Context;
  #id: string;
  #folder = '';
  #offset = 0;

  constructor(context: Context, id: string) {
    this.#context = context;
    this.#id = id;
  }

  async look(): Promise<RunLook> {
    const { state } = await findRun(this.#context.hub, this.#id);
    // the next look need not search all repos for it
    this.#id = formatRef({ ...state.repo, revision: state.run });
    const handle = state.job?.handle;
    if (handle == null) return { state, job: undefined, events: [] };
    const job = await openTargetBackend(this.#context, state.target as Target).state(handle);
    if (handle.folder !== this.#folder) {
      this.#folder = handle.folder;
      this.#offset = 0;
    }
    const lines = await readLinesFrom(join(handle.folder, 'events.jsonl'), this.#offset);
    this.#offset = lines.at(-1)?.end ?? this.#offset;
    return { state, job, events: lines.flatMap(({ text }) => parseJobEvent(text) ?? []) };
  }
}
