import { isDeepStrictEqual } from 'node:util';
import { ulid } from '../base/ulid.ts';
import { ZephyrError } from '../errors.ts';
import type { Addition, Hub } from '../hub/hub.ts';
import { formatRef, formatRepo, type RepoId } from '../model/artifact.ts';
import { isRunId } from '../model/run-id.ts';
import type { RunLog } from '../render/run-log.ts';
import { type Owner, ownerLiveness, thisProcess } from '../runs/owner.ts';
import { type RunState, runState, STATE_FILE } from '../runs/run-state.ts';
import { eventFiles } from './event-log.ts';

/** How far back an unfinished run of the same key is looked for. */
const RUNS_LOOKED_AT = 20;
/** A branch that others leave calls on is read again this often. */
const TRIES = 8;

/** A run that this process owns: the state, and the head of its branch that the state was read from or written to. */
export class StageRun {
  state: RunState;
  /** Of a run that this process executes: every commit takes the newest events along. */
  log: RunLog | undefined;
  #head: string;
  /** What was to be written when the Hub went away: it may have landed. */
  #unsure: RunState[] = [];
  readonly #hub: Hub;
  readonly #now: () => Date;

  constructor(hub: Hub, now: () => Date, state: RunState, head: string) {
    this.#hub = hub;
    this.#now = now;
    this.state = state;
    this.#head = head;
  }

  get head(): string {
    return this.#head;
  }

  /**
   * One transition, one commit, on top of the head that we know. A branch that moved belongs to somebody else now, unless
   * somebody has only left calls there.
   */
  async advance(
    next: RunState,
    message: string,
    files: { add?: readonly Addition[]; remove?: readonly string[] } = {},
  ): Promise<void> {
    const state: RunState = { ...next, updatedAt: this.#now().toISOString() };
    this.#unsure.push(state);
    // a commit that only brings files is no transition, and there may be many
    const events = this.log?.uncopied(next === this.state) ?? [];
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#hub.commit({
        repo: state.repo,
        branch: state.run,
        parent: this.#head,
        message: `zephyr: ${message}`,
        add: [...(files.add ?? []), ...eventFiles(events), stateFile(state)],
        ...(files.remove === undefined ? {} : { remove: files.remove }),
      });
      if (outcome.ok) {
        this.state = state;
        this.#head = outcome.commit;
        this.#unsure = [];
        this.log?.copied(events);
        return;
      }
      const now = await readRun(this.#hub, state.repo, state.run);
      // owner and moment in it are ours alone: the head is a commit of ours whose answer never came
      const own = now === undefined ? undefined : this.#unsure.find((tried) => isEqual(tried, now.state));
      if (own !== undefined) this.state = own;
      if (now === undefined || attempt === TRIES || !isSame(now.state, this.state)) throw lost(this.state, now?.state);
      this.#head = now.head;
    }
  }

  /** Throws when the run is somebody else's by now, or cancelled. One request as long as nobody writes to it. */
  async check(): Promise<void> {
    const { repo, run, owner } = this.state;
    if ((await this.#hub.resolve({ ...repo, revision: run })) === this.#head) return;
    // We may be writing at this moment ourselves, and others may leave calls there.
    const now = (await readRun(this.#hub, repo, run))?.state;
    const isOurs = now === undefined || (now.phase !== 'cancelled' && isDeepStrictEqual(now.owner, owner));
    if (!isOurs) throw lost(this.state, now);
  }

  /**
   * Leaves files on the branch although the run is somebody else's by now, who goes on undisturbed. The log that they are
   * of, if the state still waits for it, is complete with them.
   */
  async leave(add: readonly Addition[], message: string): Promise<void> {
    const { repo, run, log } = this.state;
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

/** As it is read back: a member that is undefined is not written. */
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

/** Why the branch is not where we left it: the user has cancelled the run, or somebody else goes on with it. */
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

type NewRun = Omit<
  RunState,
  'version' | 'run' | 'phase' | 'owner' | 'epoch' | 'job' | 'steps' | 'checkpoints' | 'attempts' | 'log' | 'failure' | 'updatedAt'
>;

export function newRunId(now: () => Date): string {
  return `run-${ulid(now().getTime())}`;
}

/** Starts a run on a branch of its own; the branch is created, never re-used. */
export async function beginRun(hub: Hub, now: () => Date, fields: NewRun, run = newRunId(now)): Promise<StageRun> {
  await hub.createRepo(fields.repo);
  const from = (await hub.refs(fields.repo))?.branches.main;
  if (from === undefined)
    throw new ZephyrError(`Cannot open "${formatRepo(fields.repo)}" on ${hub.name}: it has no branch main`, {
      exit: 'preflight',
    });
  await hub.createBranch(fields.repo, run, from);
  const opened = new StageRun(hub, now, initial(run, fields, now), from);
  await opened.advance(opened.state, `begin ${fields.stage}`, { remove: await filesOf(hub, fields.repo, from) });
  return opened;
}

/** The run on this branch, whoever owns it; `undefined` when there is none. */
export async function readRun(hub: Hub, repo: RepoId, run: string): Promise<{ state: RunState; head: string } | undefined> {
  const head = await hub.resolve({ ...repo, revision: run });
  return head === undefined ? undefined : readRunAt(hub, repo, run, head);
}

/** As `readRun` where the head of the branch is known. */
async function readRunAt(
  hub: Hub,
  repo: RepoId,
  run: string,
  head: string,
): Promise<{ state: RunState; head: string } | undefined> {
  const bytes = await hub.read({ ...repo, commit: head }, STATE_FILE);
  if (bytes === undefined) return undefined;
  const parsed = runState.safeParse(jsonOf(bytes));
  if (parsed.success) return { state: parsed.data, head };
  throw new ZephyrError(
    `Cannot read the state of ${formatRef({ ...repo, revision: run })}: it was written by another version of zephyr`,
    {
      exit: 'preflight',
      hint: `first difference: ${parsed.error.issues[0]?.path.join('.')}: ${parsed.error.issues[0]?.message}`,
    },
  );
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** As `readRun`, and `undefined` for a state that cannot be read. A Hub that does not answer has not said that there is none. */
export async function readRunIfReadable(
  hub: Hub,
  repo: RepoId,
  run: string,
  head?: string,
): Promise<{ state: RunState; head: string } | undefined> {
  const found = head === undefined ? readRun(hub, repo, run) : readRunAt(hub, repo, run, head);
  return await found.catch((error: unknown) => {
    if (error instanceof ZephyrError && error.exit === 'preflight') return undefined;
    throw error;
  });
}

/** The newest run of this repo with this key that has not come to an end. */
export async function findUnfinished(
  hub: Hub,
  repo: RepoId,
  key: string,
): Promise<{ state: RunState; head: string } | undefined> {
  const branches = Object.entries((await hub.refs(repo))?.branches ?? {}).filter(([name]) => isRunId(name));
  for (const [branch, head] of branches.sort().reverse().slice(0, RUNS_LOOKED_AT)) {
    const found = await readRunIfReadable(hub, repo, branch, head);
    if (found !== undefined && found.state.key === key && found.state.phase !== 'done') return found;
  }
  return undefined;
}

/** Makes this process the owner of the run, or says who is. */
export async function adoptRun(
  hub: Hub,
  now: () => Date,
  found: { state: RunState; head: string },
  takeOver: boolean,
): Promise<StageRun> {
  const { owner, run, repo } = found.state;
  if (owner !== null) expectGone(owner, formatRef({ ...repo, revision: run }), takeOver);
  const adopted = new StageRun(hub, now, found.state, found.head);
  await adopted.advance({ ...found.state, phase: 'running', owner: thisProcess(), failure: null }, `own ${found.state.stage}`);
  return adopted;
}

/** Throws when the owner of the run is another process that lives, or that may live out of sight. */
export function expectGone(owner: Owner, id: string, takeOver: boolean): void {
  const liveness = ownerLiveness(owner);
  if (liveness === 'alive' && owner.pid !== process.pid) {
    throw new ZephyrError(`Cannot work on ${id}: process ${owner.pid} on this machine owns it`, {
      exit: 'conflict',
      hint: `watch it with: zephyr status ${id}`,
    });
  }
  if (liveness === 'unknown' && !takeOver) {
    throw new ZephyrError(
      `Cannot work on ${id}: a zephyr on ${owner.host} owns it, and whether it lives cannot be seen from here`,
      {
        exit: 'conflict',
        hint: `watch it with: zephyr status ${id}; if that machine is gone for good, add --take-over`,
      },
    );
  }
}

function initial(run: string, fields: NewRun, now: () => Date): RunState {
  return {
    version: 1,
    run,
    ...fields,
    phase: 'running',
    owner: thisProcess(),
    epoch: 0,
    job: null,
    steps: {},
    checkpoints: [],
    attempts: {},
    log: null,
    failure: null,
    updatedAt: now().toISOString(),
  };
}

/** A run branch starts from main, whose artifact it does not repeat. */
async function filesOf(hub: Hub, repo: RepoId, commit: string): Promise<string[]> {
  return (await hub.tree({ ...repo, commit })).map(({ path }) => path).filter((path) => path !== '.gitattributes');
}
