import { type FoundRun, readRun } from '../engine/read-run.ts';
import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { readManifest, resolveRef } from '../hub/read-ref.ts';
import type { RepoId } from '../model/artifact.ts';
import { isRunId } from '../model/branches.ts';
import { MANIFEST_FILE } from '../model/manifest.ts';
import { readId } from './read-id.ts';

/**
 * The run that an ID names: `hf://.../NAME@run-...`, a bare `run-...`, or an artifact, whose manifest says which run made
 * it. Throws a `ZephyrError` when there is none.
 */
export async function findRun(hub: Hub, id: string): Promise<FoundRun> {
  if (isRunId(id)) {
    for (const repo of await hub.list()) {
      const found = await readRun(hub, repo, id);
      if (found !== undefined) return found;
    }
    throw unknown(id, hub, 'no repo has a branch of that name');
  }
  const ref = await readId(hub, id);
  if (ref === undefined)
    throw new ZephyrError(`Cannot read the ID "${id}": expected hf://models/ORG/NAME@run-..., run-..., or an artifact`, {
      hint: 'zephyr status lists the runs',
    });
  if (isRunId(ref.revision)) {
    const found = await readRun(hub, ref, ref.revision);
    if (found === undefined) throw unknown(id, hub, 'there is no such run');
    return found;
  }
  const commit = await resolveRef(hub, ref);
  if (commit === undefined) throw unknown(id, hub, 'there is no such artifact');
  const made = await readManifest(hub, { type: ref.type, name: ref.name, commit });
  if (made === undefined) throw unknown(id, hub, `it has no ${MANIFEST_FILE}, so no run of zephyr made it`);
  for (const repo of [ref, ...(await hub.list())] as RepoId[]) {
    const found = await readRun(hub, { type: repo.type, name: repo.name }, made.run);
    if (found !== undefined) return found;
  }
  throw unknown(id, hub, `its run ${made.run} is not on this Hub`);
}

function unknown(id: string, hub: Hub, why: string): ZephyrError {
  return new ZephyrError(`Cannot find "${id}" on ${hub.name}: ${why}`, {
    exit: 'preflight',
    hint: 'zephyr status lists the runs; another Hub is chosen with --hub URL',
  });
}
