import { link, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { sha256File } from '../base/sha256.ts';
import { diskFull, ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { type CheckpointManifest, checkpointManifest } from '../model/job.ts';
import { type Checkpoint, checkpointFolder, type RunState, withCheckpoint } from '../runs/run-state.ts';
import { isNoLink } from '../store/large-files.ts';
import type { Engine } from './engine.ts';
import { reclaim } from './reclaim.ts';
import type { StageRun } from './stage-run.ts';

const MANIFEST = 'manifest.json';
/** Beside `checkpoints` in the job folder. */
const HELD = 'held';

/**
 * Takes a checkpoint of a job folder over to the run branch: its files, its place in the state and the removal of the
 * ones that give way, in one commit. Returns false when the checkpoint is not complete, not any more, or older than those
 * that are kept.
 */
export async function keepCheckpoint(
  engine: Pick<Engine, 'hub' | 'emit'>,
  run: StageRun,
  step: string,
  folder: string,
): Promise<boolean> {
  const manifest = await readManifest(folder);
  if (manifest === undefined) return false;
  const { state, dropped } = withCheckpoint(run.state, { step, at: manifest.step, worldSize: manifest.world_size });
  if (dropped.some(({ at }) => at === manifest.step)) return false;
  const held = await hold(folder, manifest);
  try {
    if (!(await complete(held, manifest))) return false;
    const target = checkpointFolder(step, manifest.step);
    const add = manifest.files.map(({ path, sha256 }) => ({ path: `${target}/${path}`, file: join(held, path), sha256 }));
    const own = { path: `${target}/${MANIFEST}`, content: JSON.stringify(manifest) };
    const remove = (await Promise.all(dropped.map((old) => pathsOf(engine.hub, run, old)))).flat();
    await run.advance(state, `checkpoint ${step} at ${manifest.step}`, { add: [...add, own], remove });
    if (remove.length > 0) await reclaim(engine);
    return true;
  } catch (error) {
    // without a hold on it, it may have gone away under our hands: that is no loss, a newer one follows
    if (await complete(held, manifest)) throw error;
    return false;
  } finally {
    if (held !== folder) await rm(held, { recursive: true, force: true });
  }
}

/**
 * The trainer deletes old checkpoints in its own time, and an upload may take longer than it waits: so the files get a
 * second name, in a folder that is returned. Where none can be given, they are used where they are.
 */
async function hold(folder: string, manifest: CheckpointManifest): Promise<string> {
  const held = join(dirname(dirname(folder)), HELD, basename(folder));
  await rm(held, { recursive: true, force: true });
  try {
    for (const { path } of manifest.files) {
      await mkdir(dirname(join(held, path)), { recursive: true });
      await link(join(folder, path), join(held, path));
    }
    return held;
  } catch (error) {
    await rm(held, { recursive: true, force: true });
    if (!isNoLink(error) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return folder;
  }
}

/** Checkpoints that a dead job left in its folder, oldest first. */
export async function leftBehind(jobFolder: string): Promise<string[]> {
  const names = await readdir(join(jobFolder, 'checkpoints')).catch(() => []);
  const numbered = names.flatMap((name) => {
    const at = /^checkpoint-(\d+)$/.exec(name)?.[1];
    return at === undefined ? [] : [{ at: Number(at), folder: join(jobFolder, 'checkpoints', name) }];
  });
  return numbered.sort((a, b) => a.at - b.at).map(({ folder }) => folder);
}

/**
 * The newest checkpoint of the step whose every file verifies, laid out under `scratch`; a broken one is told through
 * `note` and passed over, an outage is thrown.
 */
export async function restoreCheckpoint(
  hub: Hub,
  state: RunState,
  head: string,
  step: string,
  worldSize: number,
  scratch: string,
  note: (message: string) => void,
): Promise<{ readonly folder: string; readonly at: number } | undefined> {
  const candidates = state.checkpoints.filter((c) => c.step === step).sort((a, b) => b.at - a.at);
  for (const { at, worldSize: saved } of candidates) {
    if (saved !== worldSize) {
      note(`the checkpoint at step ${at} was saved by ${saved} processes and cannot be gone on from with ${worldSize}`);
      continue;
    }
    await mkdir(scratch, { recursive: true });
    try {
      const { folder: snapshot } = await hub.materialise({ ...state.repo, commit: head }, scratch, {
        under: checkpointFolder(step, at),
      });
      const folder = join(snapshot, checkpointFolder(step, at));
      const manifest = await readManifest(folder);
      if (manifest !== undefined && (await verified(folder, manifest))) return { folder, at };
      note(`the checkpoint at step ${at} is not complete and is passed over`);
    } catch (error) {
      // a Hub that fails for a while, or a full disk, has not said that the checkpoint is damaged
      if ((error instanceof ZephyrError && error.exit === 'temporary') || diskFull(error, 'go on') !== undefined) throw error;
      note(`the checkpoint at step ${at} is passed over: ${error instanceof Error ? error.message : error}`);
    }
  }
  return undefined;
}

async function pathsOf(hub: Hub, run: StageRun, old: Checkpoint): Promise<string[]> {
  const prefix = `${checkpointFolder(old.step, old.at)}/`;
  return (await hub.tree({ ...run.state.repo, commit: run.head }))
    .map(({ path }) => path)
    .filter((path) => path.startsWith(prefix));
}

async function readManifest(folder: string): Promise<CheckpointManifest | undefined> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return checkpointManifest.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Sizes only: the hashes were taken by the job a moment ago and are checked when the checkpoint is used. */
async function complete(folder: string, manifest: CheckpointManifest): Promise<boolean> {
  const sizes = await Promise.all(manifest.files.map(({ path }) => stat(join(folder, path)).catch(() => undefined)));
  return manifest.files.every(({ size }, i) => sizes[i]?.size === size);
}

async function verified(folder: string, manifest: CheckpointManifest): Promise<boolean> {
  for (const { path, sha256 } of manifest.files) {
    if ((await sha256File(join(folder, path)).catch(() => undefined)) !== sha256) return false;
  }
  return true;
}
