import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { atomicWrite } from '../base/atomic-write.ts';
import { hostId } from '../base/host-id.ts';
import { sha256File } from '../base/sha256.ts';
import { ulid } from '../base/ulid.ts';
import type { FlushBound } from '../calls/flusher.ts';
import { ZephyrError } from '../errors.ts';
import type { Addition } from '../hub/hub.ts';
import type { ArtifactRef, RepoId } from '../model/artifact.ts';
import { isRunId } from '../model/branches.ts';
import type { Engine } from './engine.ts';
import type { StageRun } from './stage-run.ts';

/** Where a run's calls to teachers lie on its branch. */
export const CALLS = '.zephyr/calls/';
/** A part on the branch is named by the segment that it is and by its content: two runners never overwrite one another. */
const PART = /^(.+)-[0-9a-f]{16}\.jsonl$/;
/** Parts that another machine wrote. */
const RESTORED = 'restored-';

/**
 * The folder of a run's call log: beside the Hub where that is on this disk, else in the work folder. It is durable line
 * by line. `flush` copies finished segments to the run branch; what others have put there, in this run and in earlier
 * ones, is brought here first, so that it does not matter which machine goes on, and whether it sits beside the Hub.
 */
export class RunCalls {
  readonly run: StageRun;
  readonly folder: string;
  /** folders of earlier runs of the stage, whose calls are paid already; none for a step that asks no teacher */
  readonly earlier: readonly string[];
  /** what may be in the folder and not on the branch */
  readonly bound: FlushBound;
  /** segments that the branch has */
  readonly flushed: Set<string>;

  private constructor(run: StageRun, of: Pick<RunCalls, 'folder' | 'earlier' | 'bound' | 'flushed'>) {
    this.run = run;
    this.folder = of.folder;
    this.earlier = of.earlier;
    this.bound = of.bound;
    this.flushed = of.flushed;
  }

  /** `note`: what a step that asks teachers is told; undefined for one that asks none. */
  static async open(engine: Engine, run: StageRun, note: ((message: string) => void) | undefined): Promise<RunCalls> {
    const { repo, run: own } = run.state;
    const branches = note === undefined ? {} : ((await engine.hub.refs(repo))?.branches ?? {});
    const earlier: string[] = [];
    for (const [name, commit] of Object.entries(branches)) {
      if (!isRunId(name) || name === own) continue;
      const folder = folderOf(engine, repo, name);
      await bringBack(engine, { ...repo, commit }, folder);
      earlier.push(folder);
    }
    const folder = folderOf(engine, repo, own);
    const flushed = await bringBack(engine, { ...repo, commit: run.head }, folder);
    const { flushCalls, flushUsd, flushSeconds } = engine.target.cadence;
    const bound = { calls: flushCalls, usd: flushUsd, everyMs: flushSeconds * 1000 };
    if (note !== undefined) await begin(run, folder, bound, note);
    return new RunCalls(run, { folder, earlier, bound, flushed });
  }

  /** All calls are on the branch: the next state that is written says so. */
  settle(): void {
    this.run.callsAreHere();
  }

  /** Throws when another process owns the run by now; what was to be flushed is on its branch nevertheless. */
  async flush(): Promise<void> {
    const names = (await readdir(this.folder)).filter((name) => isOwn(name) && !this.flushed.has(name));
    const add = (await Promise.all(names.map((name) => this.#addition(name)))).filter((found) => found !== undefined);
    if (add.length === 0) return;
    let loss: unknown;
    try {
      await this.run.advance(this.run.state, 'calls', { add });
    } catch (error) {
      if (!isLost(error)) throw error;
      // what was paid is of use to the process that goes on with the run
      await this.run.leave(add, 'calls');
      loss = error;
    }
    for (const name of names) this.flushed.add(name);
    if (loss !== undefined) throw loss;
  }

  async #addition(name: string): Promise<Addition | undefined> {
    const file = join(this.folder, name);
    if ((await stat(file)).size === 0) return undefined;
    const sha256 = await sha256File(file);
    return { path: `${CALLS}${name.slice(0, -'.jsonl'.length)}-${sha256.slice(0, 16)}.jsonl`, file, sha256 };
  }
}

/**
 * Writes on the branch whose disk holds the newest calls from now on, and how many. Where that was another disk until now,
 * and its state does not say that all of its calls are on the branch, says what may be paid again.
 */
async function begin(run: StageRun, folder: string, bound: FlushBound, note: (message: string) => void): Promise<void> {
  const { log } = run.state;
  const id = await logId(dirname(folder));
  if (log !== null && log.id !== id)
    note(
      `the zephyr that asked before, on ${log.host}, was stopped before it had copied its newest calls to the Hub: up to ${log.calls} of them, $${log.usd} at most, are asked and perhaps paid again; none are if the run is resumed there`,
    );
  await run.callsGoTo({ id, host: hostId(), calls: bound.calls, usd: bound.usd });
}

/** The name of the log in this folder: another folder, be it on this machine, has another one. */
async function logId(folder: string): Promise<string> {
  const path = join(folder, 'log-id');
  const found = await readFile(path, 'utf8').catch(() => '');
  if (found !== '') return found;
  await atomicWrite(path, ulid(Date.now()));
  return await readFile(path, 'utf8');
}

/** Another process owns the run by now, or it is cancelled. */
export function isLost(error: unknown): error is ZephyrError {
  return error instanceof ZephyrError && (error.exit === 'conflict' || error.exit === 'cancelled');
}

/** A finished segment of this machine. */
function isOwn(name: string): boolean {
  return name.endsWith('.jsonl') && !name.startsWith(RESTORED);
}

function folderOf(engine: Engine, repo: RepoId, run: string): string {
  return join(engine.hub.runFolder(repo, run) ?? join(engine.workFolder, run, 'journal'), 'calls');
}

/**
 * Copies the parts of a call log that the commit holds, and that this machine did not write, into the folder. Returns the
 * names of the segments that it did write.
 */
async function bringBack({ hub }: Engine, ref: ArtifactRef, folder: string): Promise<Set<string>> {
  await mkdir(folder, { recursive: true });
  const here = new Set(await readdir(folder));
  const own = new Set<string>();
  for (const { path } of await hub.tree(ref)) {
    if (!path.startsWith(CALLS)) continue;
    const part = path.slice(CALLS.length);
    const segment = `${PART.exec(part)?.[1]}.jsonl`;
    if (here.has(segment)) own.add(segment);
    if (here.has(segment) || here.has(`${RESTORED}${part}`)) continue;
    const bytes = await hub.read(ref, path);
    if (bytes !== undefined) await atomicWrite(join(folder, `${RESTORED}${part}`), bytes);
  }
  return own;
}
