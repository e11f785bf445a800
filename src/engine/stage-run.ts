import { isDeepStrictEqual } from 'node:util';
import { ZephyrError } from '../errors.ts';
import type { Addition, Hub } from '../hub/hub.ts';
import type { TransferOptions } from '../hub/transfer.ts';
import { formatRef } from '../model/artifact.ts';
import type { JobHandle, JobSite } from '../model/job.ts';
import type { Attempt } from '../model/manifest.ts';
import type { Artifact } from '../model/outcome.ts';
import type { RunLog } from '../render/run-log.ts';
import { thisProcess } from '../runs/owner.ts';
import { attemptEnded, type Driver, type RunState, STATE_FILE, submitting } from '../runs/run-state.ts';
import { eventFiles } from './event-log.ts';
import { readRun } from './read-run.ts';

/** A branch to which others bring calls is read again this often. */
const TRIES = 8;

/** A run that this process owns: the state, and the head of its branch that the state was read from or written to. */
export class StageRun {
  /** The event log of a run that this process executes: every commit takes its newest events along. */
  log: RunLog | undefined;
  #state: RunState;
  #head: string;
  /** What was to be written when the Hub went away: it may have landed. */
  #unsure: RunState[] = [];
  readonly #hub: Hub;
  readonly #now: () => Date;

  constructor(hub: Hub, now: () => Date, state: RunState, head: string) {
    this.#hub = hub;
    this.#now = now;
    this.#state = state;
    this.#head = head;
  }

  get state(): RunState {
    return this.#state;
  }

  get head(): string {
    return this.#head;
  }

  /** `hf://...@run-...` */
  get id(): string {
    return formatRef({ ...this.#state.repo, revision: this.#state.run });
  }

  /** This process owns the run from now on, with what is asked of it now. */
  async own(asked: Partial<RunState> = {}): Promise<void> {
    const { stage } = this.#state;
    await this.advance({ ...this.#state, ...asked, phase: 'running', owner: thisProcess(), failure: null }, `own ${stage}`);
  }

  /** A job of the step is about to be submitted. */
  async submitting(step: string, site: JobSite, resumedFromStep: number | undefined): Promise<void> {
    const next = submitting(this.#state, { step, ...site, startedAt: this.#now().toISOString(), resumedFromStep });
    await this.advance(next, `submit ${step} e${next.epoch}`);
  }

  /** The job that was about to be submitted is this one. */
  async hasJob(handle: JobHandle): Promise<void> {
    const { step, epoch } = handle.labels;
    await this.advance({ ...this.#state, job: { step, epoch, handle } }, `run ${step} e${epoch}`);
  }

  /** The newest attempt of a step has ended with this reason. */
  async attemptEnded(step: string, end: string): Promise<void> {
    const { epoch } = this.#state;
    await this.advance(attemptEnded(this.#state, step, end, this.#now().toISOString()), `${step} e${epoch} ended: ${end}`);
  }

  /** What an artifact says of the attempts at its step, once it is published. */
  attemptsOf(step: string): readonly Attempt[] {
    return attemptEnded(this.#state, step, 'done', this.#now().toISOString()).attempts[step] ?? [];
  }

  async published(step: string, fingerprint: string, artifact: Artifact): Promise<void> {
    const ended = attemptEnded(this.#state, step, 'done', this.#now().toISOString());
    const steps = { ...ended.steps, [step]: { fingerprint, artifact } };
    await this.advance({ ...ended, steps }, `publish ${step} as ${formatRef(artifact.ref)}`);
  }

  /** This process gives the run up: the phase says whether it may go on as it is. */
  async giveUp(phase: 'failed' | 'cancelled' | 'detached', failure: RunState['failure'], message: string): Promise<void> {
    await this.advance({ ...this.#state, phase, owner: null, failure }, `${phase}: ${message}`.slice(0, 200));
  }

  /** Nobody owns the run until the driver begins to work on it. */
  async handOver(driver: Driver): Promise<void> {
    const { epoch } = driver;
    const next = { ...this.#state, phase: 'detached', owner: null, failure: null, epoch, driver } as const;
    await this.advance(next, `hand over to ${driver.backend}`);
  }

  /** The run is over: its checkpoints leave the head of its branch. Returns whether there were any. */
  async finish(): Promise<boolean> {
    const tree = await this.#hub.tree({ ...this.#state.repo, commit: this.#head });
    const remove = tree.map(({ path }) => path).filter((path) => path.startsWith('.zephyr/checkpoints/'));
    await this.advance({ ...this.#state, phase: 'done', owner: null, job: null, checkpoints: [] }, 'done', { remove });
    return remove.length > 0;
  }

  /** The calls to teachers are on the disk with this log from now on. */
  async callsGoTo(log: NonNullable<RunState['log']>): Promise<void> {
    if (!isDeepStrictEqual(this.#state.log, log)) await this.advance({ ...this.#state, log }, 'ask');
  }

  /** All calls are on the branch: the next state that is written says so. */
  callsAreHere(): void {
    this.#state = { ...this.#state, log: null };
  }

  /**
   * One transition, one commit, on top of the head that we know. A branch that moved belongs to another process now,
   * unless that one has only left calls there.
   */
  async advance(
    next: RunState,
    message: string,
    files: { add?: readonly Addition[]; remove?: readonly string[] } = {},
    transfer: TransferOptions = {},
  ): Promise<void> {
    const state: RunState = { ...next, updatedAt: this.#now().toISOString() };
    this.#unsure.push(state);
    // a commit that only brings files is no transition, and there may be many
    const events = this.log?.uncopied(next === this.#state) ?? [];
    for (let attempt = 1; ; attempt += 1) {
      const add = [...(files.add ?? []), ...eventFiles(events), stateFile(state)];
      const request = { repo: state.repo, branch: state.run, parent: this.#head, message: `zephyr: ${message}`, ...files, add };
      const outcome = await this.#hub.commit(request, transfer);
      if (outcome.ok) {
        this.#state = state;
        this.#head = outcome.commit;
        this.#unsure = [];
        this.log?.copied(events);
        return;
      }
      const now = await readRun(this.#hub, state.repo, state.run);
      // only this process writes this owner and time, so the head is its own commit, whose answer was lost
      const own = now === undefined ? undefined : this.#unsure.find((tried) => isEqual(tried, now.state));
      if (own !== undefined) this.#state = own;
      if (now === undefined || attempt === TRIES || !isSame(now.state, this.#state)) throw lost(this.#state, now?.state);
      this.#head = now.head;
    }
  }

  /** Throws when another process owns the run by now, or it is cancelled. One request, unless the branch was written to. */
  async check(): Promise<void> {
    const { repo, run, owner } = this.#state;
    if ((await this.#hub.resolve({ ...repo, revision: run })) === this.#head) return;
    // This process may be writing there at the moment, and others may leave calls there.
    const now = (await readRun(this.#hub, repo, run))?.state;
    const isOurs = now === undefined || (now.phase !== 'cancelled' && isDeepStrictEqual(now.owner, owner));
    if (!isOurs) throw lost(this.#state, now);
  }

  /**
   * Leaves files on the branch although another process owns the run by now, which goes on undisturbed. The log that they are
   * of, if the state still waits for it, is complete with them.
   */
  async leave(add: readonly Addition[], message: string): Promise<void> {
    const { repo, run, log } = this.#state;
    for (let attempt = 1; attempt <= TRIES; attempt += 1) {
      const now = await readRun(this.#hub, repo, run);
      if (now === undefined) return;
      const isAwaited = log !== null && now.state.log?.id === log.id;
      const settled = isAwaited ? [stateFile({ ...now.state, log: null })] : [];
      const request = { repo, branch: run, parent: now.head, message: `zephyr: ${message}`, add: [...add, ...settled] };
      if ((await this.#hub.commit(request)).ok) return;
    }
  }
}

/** Compares states as a process reads them back: JSON leaves out a member that is undefined. */
function isEqual(written: RunState, read: RunState): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(written)), JSON.parse(JSON.stringify(read)));
}

function stateFile(state: RunState): Addition {
  return { path: STATE_FILE, content: `${JSON.stringify(state, null, 2)}\n` };
}

/** The state has not been written since: two owners may have written in one millisecond. */
function isSame(now: RunState, known: RunState): boolean {
  return now.updatedAt === known.updatedAt && now.phase === known.phase && isDeepStrictEqual(now.owner, known.owner);
}

/** Why the branch is not where we left it: the user has cancelled the run, or another process goes on with it. */
function lost({ repo, run }: RunState, now: RunState | undefined): ZephyrError {
  const id = formatRef({ ...repo, revision: run });
  if (now?.phase === 'cancelled') {
    return new ZephyrError(`Stopped working on ${id}: it was cancelled`, {
      exit: 'cancelled',
      hint: `go on with: zephyr resume ${id}`,
    });
  }
  return new ZephyrError(`Cannot go on with ${id}: another zephyr has written to it`, {
    exit: 'conflict',
    hint: `see who: zephyr status ${id}`,
  });
}
