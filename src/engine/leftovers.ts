import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Workspace } from '../backends/workspace.ts';
import type { Hub } from '../hub/hub.ts';
import { formatRef } from '../model/artifact.ts';
import { CALLS } from './call-log.ts';
import { eventFolder } from './event-log.ts';
import type { ListedRun } from './run-list.ts';

/** Something that an ended run has left and nothing needs. */
export interface Leftover {
  readonly id: string;
  readonly what: 'branch' | 'job folder';
  /** bytes on this machine; 0 for a branch, whose files others may share */
  readonly bytes: number;
  readonly remove: () => Promise<unknown>;
}

/**
 * What runs that are done or cancelled have left: their branches on the Hub, and what their jobs have in the workspace. A
 * failed run is not over. One whose calls were paid keeps its branch, since later runs take its answers from there: `kept`
 * counts these.
 */
export async function leftoversOf(
  { hub, workFolder }: { readonly hub: Hub; readonly workFolder: string },
  runs: readonly ListedRun[],
  workspaceOf: (run: ListedRun) => Promise<Workspace>,
): Promise<{ readonly items: readonly Leftover[]; readonly kept: number }> {
  const items: Leftover[] = [];
  let kept = 0;
  for (const run of runs) {
    if (run.phase !== 'done' && run.phase !== 'cancelled') continue;
    const id = formatRef({ ...run.repo, revision: run.run });
    const workspace = await workspaceOf(run);
    const bytes = await workspace.size(run);
    if (bytes !== undefined) items.push({ id, what: 'job folder', bytes, remove: () => workspace.remove(run) });
    if (await hasCalls(hub, run)) kept += 1;
    else items.push({ id, what: 'branch', bytes: 0, remove: () => forget(hub, workFolder, run) });
  }
  return { items, kept };
}

async function forget(hub: Hub, workFolder: string, run: ListedRun): Promise<void> {
  await hub.deleteRef(run.repo, 'branch', run.run);
  await rm(eventFolder(hub, workFolder, run), { recursive: true, force: true });
}

async function hasCalls(hub: Hub, { repo, run }: ListedRun): Promise<boolean> {
  const folder = hub.runFolder(repo, run);
  if (folder !== undefined && (await readdir(join(folder, 'calls')).catch(() => [])).length > 0) return true;
  const commit = await hub.resolve({ ...repo, revision: run });
  return commit !== undefined && (await hub.tree({ ...repo, commit })).some(({ path }) => path.startsWith(CALLS));
}
