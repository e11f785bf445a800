import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { formatRef, type RepoId } from '../model/artifact.ts';
import { isRunId } from '../model/branches.ts';
import { type RunState, runState, STATE_FILE } from '../runs/run-state.ts';

/** How far back an unfinished run of the same key is looked for. */
const RUNS_LOOKED_AT = 20;

/** A run as its branch says it at this head. */
export interface FoundRun {
  readonly state: RunState;
  readonly head: string;
}

/** The run on this branch, with or without an owner; `undefined` when there is none. */
export async function readRun(hub: Hub, repo: RepoId, run: string): Promise<FoundRun | undefined> {
  const head = await hub.resolve({ ...repo, revision: run });
  return head === undefined ? undefined : readRunAt(hub, repo, run, head);
}

/** As `readRun` where the head of the branch is known. */
async function readRunAt(hub: Hub, repo: RepoId, run: string, head: string): Promise<FoundRun | undefined> {
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
export async function readRunIfReadable(hub: Hub, repo: RepoId, run: string, head?: string): Promise<FoundRun | undefined> {
  const found = head === undefined ? readRun(hub, repo, run) : readRunAt(hub, repo, run, head);
  return await found.catch((error: unknown) => {
    if (error instanceof ZephyrError && error.exit === 'preflight') return undefined;
    throw error;
  });
}

/** The newest run of this repo with this key that has not come to an end. */
export async function findUnfinished(hub: Hub, repo: RepoId, key: string): Promise<FoundRun | undefined> {
  const branches = Object.entries((await hub.refs(repo))?.branches ?? {}).filter(([name]) => isRunId(name));
  for (const [branch, head] of branches.sort().reverse().slice(0, RUNS_LOOKED_AT)) {
    const found = await readRunIfReadable(hub, repo, branch, head);
    if (found !== undefined && found.state.key === key && found.state.phase !== 'done') return found;
  }
  return undefined;
}
