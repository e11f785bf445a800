import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hub } from '../hub/hub.ts';
import { formatRef } from '../model/artifact.ts';
import { eventFolder } from './event-log.ts';
import { CALLS } from './journal.ts';
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
 * What runs that are done or cancelled have left: their branches on the Hub, and the folders of their jobs below `jobs`. A
 * failed run is not over. One whose calls were paid keeps its branch, since later runs take its answers from there: `kept`
 * counts these.
 */
export async function leftoversOf(
  hub: Hub,
  jobs: string,
  runs: readonly ListedRun[],
): Promise<{ readonly items: readonly Leftover[]; readonly kept: number }> {
  const items: Leftover[] = [];
  let kept = 0;
  for (const run of runs) {
    if (run.phase !== 'done' && run.phase !== 'cancelled') continue;
    const id = formatRef({ ...run.repo, revision: run.run });
    const folder = join(jobs, run.run);
    const bytes = await sizeOf(folder);
    if (bytes !== undefined)
      items.push({ id, what: 'job folder', bytes, remove: () => rm(folder, { recursive: true, force: true }) });
    if (await hasCalls(hub, run)) kept += 1;
    else items.push({ id, what: 'branch', bytes: 0, remove: () => forget(hub, jobs, run) });
  }
  return { items, kept };
}

async function forget(hub: Hub, jobs: string, run: ListedRun): Promise<void> {
  await hub.deleteRef(run.repo, 'branch', run.run);
  await rm(eventFolder(hub, jobs, run), { recursive: true, force: true });
}

async function hasCalls(hub: Hub, { repo, run }: ListedRun): Promise<boolean> {
  const journal = hub.journalFolder(repo, run);
  if (journal !== undefined && (await readdir(join(journal, 'calls')).catch(() => [])).length > 0) return true;
  const commit = await hub.resolve({ ...repo, revision: run });
  return commit !== undefined && (await hub.tree({ ...repo, commit })).some(({ path }) => path.startsWith(CALLS));
}

/** Bytes below a folder; `undefined` when there is none. */
async function sizeOf(folder: string): Promise<number | undefined> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => undefined);
  const files = (entries ?? []).filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const sizes = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return entries === undefined ? undefined : sizes.reduce((sum, size) => sum + size, 0);
}
