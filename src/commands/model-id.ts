import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { readManifest } from '../hub/read-ref.ts';
import { formatRef } from '../model/artifact.ts';
import { isRunId } from '../model/branches.ts';
import type { Artifact } from '../model/outcome.ts';
import { modelFault } from '../plan/stage-inputs.ts';
import type { RunState } from '../runs/run-state.ts';
import type { Context } from './context.ts';
import { findRun } from './find-run.ts';
import { pinsOrPull } from './missing-inputs.ts';
import { readId } from './read-id.ts';

const HINT = 'every stage prints the ID of what it made; zephyr status lists runs, zephyr hub ls what is there';

/** The whole model that an ID names: a reference to it, or the run that made it. `doing` completes "Cannot". */
export async function modelOf(context: Context, id: string, doing: string): Promise<Artifact> {
  const { hub } = context;
  const ref = isRunId(id) ? { ...(await findRun(hub, id)).state.repo, revision: id } : await readId(hub, id);
  if (ref === undefined)
    throw new ZephyrError(`Cannot read the ID "${id}": expected hf://models/ORG/NAME@COMMIT, or a run`, { hint: HINT });
  const text = formatRef(ref);
  const model = (await pinsOrPull([text], context)).get(text) as Artifact;
  const fault = await modelFault(model.ref, hub);
  if (fault === undefined) return model;
  throw new ZephyrError(`Cannot ${doing} "${id}": ${fault}`, { hint: HINT });
}

/** The run whose steps made the model; `undefined` where none did, or where its branch is not on this Hub. */
export async function runThatMade(hub: Hub, { ref }: Artifact): Promise<RunState | undefined> {
  if ((await readManifest(hub, ref)) === undefined) return undefined;
  try {
    return (await findRun(hub, formatRef(ref))).state;
  } catch (error) {
    if (error instanceof ZephyrError && error.exit === 'preflight') return undefined;
    throw error;
  }
}
