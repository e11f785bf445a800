import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import type { Artifact } from '../model/outcome.ts';
import { runState, STATE_FILE } from '../runs/run-state.ts';

/** What a run made: its branch holds its state, not the artifact. */
export async function madeBy(head: ArtifactRef, run: string, hub: Hub): Promise<Artifact> {
  const bytes = await hub.read(head, STATE_FILE);
  const state = bytes === undefined ? undefined : runState.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data;
  const artifact = Object.values(state?.steps ?? {}).at(-1)?.artifact;
  if (state?.phase === 'done' && artifact != null) return artifact;
  const id = formatRef({ ...head, revision: run });
  throw new ZephyrError(
    `Cannot use what ${id} made: the run is ${state?.phase ?? 'in a state that cannot be read'}, expected done`,
    {
      exit: 'preflight',
      hint: `go on with it first: zephyr resume ${id}`,
    },
  );
}
