import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { atomicWrite } from '../base/atomic-write.ts';
import { hostId } from '../base/host-id.ts';
import { sha256File } from '../base/sha256.ts';
import { ulid } from '../base/ulid.ts';
import type { FlushBound } from '../calls/flusher.ts';
import { ZephyrError } from '../errors.ts';
import type { Addition } from '../hub/hub.ts';
import type { RepoId } from '../model/artifact.ts';
import { isRunId } from '../model/run-id.ts';
import type { Engine } from './engine.ts';
import type { StageRun } from './stage-run.ts';

export interface RunCalls {
  readonly folder: string;
  /** folders of earlier runs of the stage, whose calls are paid already; none for a step that asks nobody */
  readonly earlier: readonly string[];
  /** Throws when the run is somebody else's by now; what was to be flushed is on its branch nevertheless. */
  readonly flush: () => Promise<void>;
  /** What may be in the folder and not on the branch. */
  readonly bound: FlushBound;
  /** All calls are on the branch: the next state that is written says so. */
  readonly settle: () => Promise<void>;
}

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
export async function openRunCalls(
  engine: Engine,
  run: StageRun,
  asks: boolean,
  note: (message: string) => void,
): Promise<RunCalls> {
  const { repo, run: own } = run.state;
  const branches = asks ? ((await engine.hub.refs(repo))?.branches ?? {}) : {};
  const earlier: string[] = [];
  for (const [name, commit] of Object.entries(branches)) {
    if (!isRunId(name) || name === own) continue;
    const folder = folderOf(engine, repo, name);
    await bringBack(engine, repo, commit, folder);
    earlier.push(folder);
  }
  const folder = folderOf(engine, repo, own);
  const flushed = await bringBack(engine, repo, run.head, folder);
  const { flushCalls, flushUsd, flushSeconds } = engine.target.cadence;
  const bound = { calls: flushCalls, usd: flushUsd, everyMs: flushSeconds * 1000 };
  if (asks) await begin(run, folder, bound, note);
  return {
    folder,
    earlier,
    bound,
    settle: async () => run.callsAreHere(),
    flush: async () => {
      const names = (await readdir(folder)).filter((name) => isOwn(name) && !flushed.has(name));
      const add: Addition[] = [];
      for (const name of names) {
        const file = join(folder, name);
        if ((await stat(file)).size === 0) continue;
        const sha256 = await sha256File(file);
        add.push({ path: `${CALLS}${name.slice(0, -'.jsonl'.length)}-${sha256.slice(0, 16)}.jsonl`, file, sha256 });
      }
      if (add.length === 0) return;
      let loss: unknown;
      try {
        await run.advance(run.state, 'calls', { add });
      } catch (error) {
        if (!isLost(error)) throw error;
        // what was paid is of use to whoever goes on with the run
        await run.leave(add, 'calls');
        loss = error;
      }
      for (const name of names) flushed.add(name);
      if (loss !== undefined) throw loss;
    },
  };
}

/**
 * Writes on the branch whose disk holds the newest calls from now on, and how many. Where that was another disk until now,
 * and nobody has said that all of its calls are on the branch, says what may be paid again.
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

/** The run is somebody else's by now, or cancelled. */
export function isLost(error: unknown): error is ZephyrError {
  return error instanceof ZephyrError && (error.exit === 'conflict' || error.exit === 'cancelled');
}

/** A finished segment of this machine. */
function isOwn(name: string): boolean {
  return name.endsWith('.jsonl') && !name.startsWith(RESTORED);
}

function folderOf(engine: Engine, repo: RepoId, run: string): string {
  return join(engine.hub.journalFolder(repo, run) ?? join(engine.workFolder, run, 'journal'), 'calls');
}

/**
 * Copies the parts of a call log that the commit holds, and that this machine did not write, into the folder. Returns the
 * names of the segments that it did write.
 */
async function bringBack(engine: Engine, repo: RepoId, commit: string, folder: string): Promise<Set<string>> {
  await mkdir(folder, { recursive: true });
  const here = new Set(await readdir(folder));
  const own = new Set<string>();
  for (const { path } of await engine.hub.tree({ ...repo, commit })) {
    if (!path.startsWith(CALLS)) continue;
    const part = path.slice(CALLS.length);
    const segment = `${PART.exec(part)?.[1]}.jsonl`;
    if (here.has(segment)) own.add(segment);
    if (here.has(segment) || here.has(`${RESTORED}${part}`)) continue;
    const bytes = await engine.hub.read({ ...repo, commit }, path);
    if (bytes !== undefined) await atomicWrite(join(folder, `${RESTORED}${part}`), bytes);
  }
  return own;
}
