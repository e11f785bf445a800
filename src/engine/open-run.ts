import { ulid } from '../base/ulid.ts';
import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { formatRef, formatRepo, type RepoId } from '../model/artifact.ts';
import { type Owner, ownerLiveness, thisProcess } from '../runs/owner.ts';
import type { RunState } from '../runs/run-state.ts';
import type { FoundRun } from './read-run.ts';
import { StageRun } from './stage-run.ts';

type NewRun = Omit<
  Omit<RunState, 'driver'> & Partial<Pick<RunState, 'driver'>>,
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

/** Makes this process the owner of the run, or says who is. */
export async function adoptRun(hub: Hub, now: () => Date, found: FoundRun, takeOver: boolean): Promise<StageRun> {
  const { owner, run, repo } = found.state;
  if (owner !== null) expectGone(owner, formatRef({ ...repo, revision: run }), takeOver);
  const adopted = new StageRun(hub, now, found.state, found.head);
  await adopted.own();
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
    driver: null,
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
