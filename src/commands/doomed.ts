import { listRuns } from '../engine/run-list.ts';
import { ZephyrError } from '../errors.ts';
import { formatRef, formatRepo, sameRepo } from '../model/artifact.ts';
import { isRunId } from '../model/branches.ts';
import { isRunBranch } from '../store/names.ts';
import type { Context } from './context.ts';
import { refOf } from './read-id.ts';
import { phaseOf } from './runs-of.ts';

export const RM_EXAMPLE = 'zephyr hub rm hf://models/ORG/NAME, or with @BRANCH or @TAG for one of these';

/** What is to be deleted, in words. */
export interface Doomed {
  readonly about: string;
  readonly remove: () => Promise<boolean>;
}

/** The repo, branch or tag that a user wants to have deleted. Throws when it is not there, or a run is at work in it. */
export async function doomedOf({ hub, home }: Context, text: string): Promise<Doomed> {
  const ref = refOf(text, 'delete', RM_EXAMPLE);
  const { type, name, revision } = ref;
  const repo = { type, name };
  const refs = await hub.refs(repo);
  const isWhole = !/@|\/(tree|commit)\//.test(text);
  const kind = refs?.branches[revision] !== undefined ? 'branch' : refs?.tags[revision] !== undefined ? 'tag' : undefined;
  if (refs === undefined || (!isWhole && kind === undefined))
    throw new ZephyrError(`Cannot delete "${text}": ${hub.name} has no such ${isWhole ? 'repo' : 'branch or tag'}`, {
      exit: 'preflight',
      hint: 'zephyr hub ls lists the repos',
    });
  if (!isWhole && revision === 'main')
    throw new ZephyrError(`Cannot delete "${text}": main is what a repo holds`, { hint: RM_EXAMPLE });
  const running = (await listRuns(hub, home)).find(
    (run) => sameRepo(run.repo, repo) && (isWhole || run.run === revision) && phaseOf(run) === 'running',
  );
  if (running !== undefined)
    throw new ZephyrError(`Cannot delete "${text}": ${formatRef({ ...repo, revision: running.run })} is running`, {
      exit: 'conflict',
      hint: `zephyr cancel ${formatRef({ ...repo, revision: running.run })}`,
    });
  if (!isWhole && kind !== undefined)
    return { about: `${kind} ${formatRef(ref)}`, remove: () => hub.deleteRef(repo, kind, revision) };
  const branches = Object.keys(refs.branches);
  const runs = branches.filter(isRunId).length;
  const own = branches.filter((branch) => !isRunBranch(branch)).length;
  const tags = Object.keys(refs.tags).length;
  const about = `${formatRepo(repo)} with ${counted(own, 'branch', 'es')}, ${counted(tags, 'tag')} and ${counted(runs, 'run')}`;
  return { about, remove: () => hub.deleteRepo(repo) };
}

function counted(count: number, noun: string, plural = 's'): string {
  return `${count} ${noun}${count === 1 ? '' : plural}`;
}
