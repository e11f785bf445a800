import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKPOINT_MANIFEST, isWhole } from '../backends/checkpoint-files.ts';
import type { FetchedCheckpoint, RestoredCheckpoint } from '../backends/workspace.ts';
import { diskFull, ZephyrError } from '../errors.ts';
import type { Addition, Hub } from '../hub/hub.ts';
import { type Checkpoint, checkpointFolder, withCheckpoint } from '../runs/run-state.ts';
import type { Engine } from './engine.ts';
import { moveFiles } from './move-files.ts';
import type { StageRun } from './stage-run.ts';

type Keeper = Pick<Engine, 'hub' | 'emit' | 'signal' | 'workFolder' | 'backend'>;

/** A checkpoint that a job has saved: its place, and its name there. */
interface Saved {
  readonly step: string;
  readonly place: string;
  readonly name: string;
}

/**
 * Takes a checkpoint of a job over to the run branch: its files, its place in the state and the removal of the ones that
 * give way, in one commit. One that the job has brought to the Hub is only named in the state. Returns false when the
 * checkpoint is not complete, not any more, or older than those that are kept.
 */
export async function keepCheckpoint(engine: Keeper, run: StageRun, { step, place, name }: Saved): Promise<boolean> {
  const into = join(engine.workFolder, run.state.run, 'held', `${step}-${name}`);
  try {
    const fetched = await engine.backend.workspace.fetchCheckpoint(place, name, into);
    if (fetched === undefined) return false;
    const { step: at, world_size: worldSize } = fetched.manifest;
    const lies = fetched.on === 'hub' ? { place, commit: fetched.ref.commit, under: fetched.under } : undefined;
    const { state, dropped } = withCheckpoint(run.state, { step, at, worldSize, ...(lies === undefined ? {} : { lies }) });
    if (dropped.some((other) => other.at === at)) return false;
    const remove = (await Promise.all(dropped.map((old) => pathsOf(engine.hub, run, old)))).flat();
    try {
      const files = { add: additionsOf(step, fetched), remove };
      await moveFiles(engine, { stage: run.state.stage, name: step }, { direction: 'upload', what: 'checkpoint' }, (transfer) =>
        run.advance(state, `checkpoint ${step} at ${at}`, files, transfer),
      );
    } catch (error) {
      // the job may delete a checkpoint while zephyr reads it; that is no loss, since a newer one follows
      if (fetched.on === 'hub' || (await isWhole(fetched.folder, fetched.manifest))) throw error;
      return false;
    }
    if (remove.length > 0) await reclaim(engine);
    return true;
  } finally {
    await rm(into, { recursive: true, force: true });
  }
}

function additionsOf(step: string, fetched: FetchedCheckpoint): Addition[] {
  if (fetched.on === 'hub') return [];
  const { folder, manifest } = fetched;
  const target = checkpointFolder(step, manifest.step);
  const files = manifest.files.map(({ path, sha256 }) => ({ path: `${target}/${path}`, file: join(folder, path), sha256 }));
  return [...files, { path: `${target}/${CHECKPOINT_MANIFEST}`, content: JSON.stringify(manifest) }];
}

/**
 * The newest checkpoint of the step whose every file verifies, with what is read of it under `scratch`; a broken one is told
 * through `note` and passed over, an outage is thrown.
 */
export async function restoreCheckpoint(
  engine: Pick<Engine, 'backend' | 'emit' | 'signal'>,
  { state, head }: StageRun,
  wanted: { readonly step: string; readonly scratch: string },
  note: (message: string) => void,
): Promise<(RestoredCheckpoint & { readonly at: number }) | undefined> {
  const candidates = state.checkpoints.filter(({ step }) => step === wanted.step).sort((a, b) => b.at - a.at);
  for (const { step, at, lies } of candidates) {
    const { commit, under } = lies ?? { commit: head, under: checkpointFolder(step, at) };
    const ref = { ...state.repo, commit };
    try {
      const restored = await moveFiles(
        engine,
        { stage: state.stage, name: step },
        { direction: 'download', what: 'checkpoint' },
        (transfer) => engine.backend.workspace.restore(ref, under, wanted.scratch, transfer),
      );
      if (restored !== undefined) return { ...restored, at };
      note(`the checkpoint at step ${at} is not complete and is passed over`);
    } catch (error) {
      if (!isDamage(error)) throw error;
      note(`the checkpoint at step ${at} is passed over: ${error instanceof Error ? error.message : error}`);
    }
  }
  return undefined;
}

/** A user who stops it, a Hub that fails for a while and a full disk have not said that a checkpoint is damaged. */
function isDamage(error: unknown): boolean {
  if (error instanceof ZephyrError && (error.exit === 'temporary' || error.exit === 'detached')) return false;
  return diskFull(error, 'go on') === undefined;
}

async function pathsOf(hub: Hub, run: StageRun, { step, at, lies }: Checkpoint): Promise<string[]> {
  if (lies !== undefined) return [];
  const prefix = `${checkpointFolder(step, at)}/`;
  return (await hub.tree({ ...run.state.repo, commit: run.head }))
    .map(({ path }) => path)
    .filter((path) => path.startsWith(prefix));
}

/** Gives back the space of dropped checkpoints. A Hub with damage in it deletes nothing, and that stops no run. */
export async function reclaim({ hub, emit }: Pick<Engine, 'hub' | 'emit'>): Promise<void> {
  try {
    await hub.reclaim();
  } catch (error) {
    emit({
      type: 'warning',
      message: `Cannot give back the space of old checkpoints: ${error instanceof Error ? error.message : error}`,
    });
  }
}
