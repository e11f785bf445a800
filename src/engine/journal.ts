import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../base/sha256.ts';
import type { Addition } from '../hub/hub.ts';
import type { RepoId } from '../model/artifact.ts';
import type { Engine } from './engine.ts';
import type { StageRun } from './stage-run.ts';

export interface Journal {
  readonly folder: string;
  /** folders of earlier runs of the stage, whose calls are paid already */
  readonly earlier: readonly string[];
  readonly flush: () => Promise<void>;
}

const CALLS = '.zephyr/calls/';

/**
 * The folder of a run's call log. With a Hub on this disk it lies there and is durable line by line. With any other Hub
 * it lies in the work folder, is brought back from the run branch when that is all there is, and `flush` copies what is
 * new to the branch, under names made of content: two runners never overwrite one another.
 */
export async function openJournal(engine: Engine, run: StageRun): Promise<Journal> {
  const { repo, run: own } = run.state;
  const earlier = (await otherRuns(engine, repo, own)).map((name) => folderOf(engine, repo, name));
  const folder = folderOf(engine, repo, own);
  await mkdir(folder, { recursive: true });
  if (engine.hub.journalFolder(repo, own) !== undefined) return { folder, earlier, flush: async () => {} };

  for (const name of await otherRuns(engine, repo, own)) await bringBack(engine, repo, name);
  const flushed = new Set<string>();
  const kept = await bringBack(engine, repo, own);
  return {
    folder,
    earlier,
    flush: async () => {
      const add: Addition[] = [];
      const names = (await ownSegments(folder)).filter((name) => !flushed.has(name));
      for (const name of names) {
        const content = await readFile(join(folder, name));
        const path = partOf(content);
        if (content.length > 0 && !kept.has(path)) add.push({ path, content });
      }
      if (add.length > 0) await run.advance(run.state, 'calls', { add });
      for (const name of names) flushed.add(name);
    },
  };
}

/** A finished segment never changes: its content is its name on the branch. */
function partOf(content: Uint8Array): string {
  return `${CALLS}${sha256(content).slice(0, 16)}.jsonl`;
}

async function ownSegments(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((file) => file.endsWith('.jsonl') && !file.startsWith('restored-'));
}

function folderOf(engine: Engine, repo: RepoId, run: string): string {
  return join(engine.hub.journalFolder(repo, run) ?? join(engine.workFolder, run, 'journal'), 'calls');
}

async function otherRuns(engine: Engine, repo: RepoId, own: string): Promise<string[]> {
  const refs = await engine.hub.refs(repo);
  return Object.keys(refs?.branches ?? {}).filter((name) => name.startsWith('run-') && name !== own);
}

/** Copies the parts of a run's log that its branch holds, and that this machine did not write, to its folder here; returns all their paths. */
async function bringBack(engine: Engine, repo: RepoId, run: string): Promise<Set<string>> {
  const folder = folderOf(engine, repo, run);
  await mkdir(folder, { recursive: true });
  const there = new Set(await readdir(folder));
  const own = new Set<string>();
  for (const name of await ownSegments(folder)) own.add(partOf(await readFile(join(folder, name))));
  const paths = new Set<string>();
  const refs = await engine.hub.refs(repo);
  const commit = refs?.branches[run];
  if (commit === undefined) return paths;
  for (const { path } of await engine.hub.tree({ ...repo, commit })) {
    if (!path.startsWith(CALLS)) continue;
    paths.add(path);
    const name = `restored-${path.slice(CALLS.length)}`;
    if (there.has(name) || own.has(path)) continue;
    const bytes = await engine.hub.read({ ...repo, commit }, path);
    if (bytes !== undefined) await writeFile(join(folder, name), bytes);
  }
  return paths;
}
