import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../base/sha256.ts';
import type { Addition } from '../hub/hub.ts';
import type { Engine } from './engine.ts';
import type { StageRun } from './stage-run.ts';

export interface Journal {
  readonly folder: string;
  readonly flush: () => Promise<void>;
}

/**
 * The folder of a step's call log. With a Hub on this disk it lies there and is durable line by line. With any other Hub
 * it lies in the work folder, is brought back from the run branch when that is all there is, and `flush` copies what is
 * new to the branch, under names made of content: two runners never overwrite one another.
 */
export async function openJournal(engine: Engine, run: StageRun, step: string): Promise<Journal> {
  const onHub = engine.hub.journalFolder(run.state.repo, run.state.run);
  const folder = join(onHub ?? join(engine.workFolder, run.state.run, 'journal'), step);
  await mkdir(folder, { recursive: true });
  if (onHub !== undefined) return { folder, flush: async () => {} };
  const prefix = `.zephyr/calls/${step}/`;
  const kept = new Set<string>();
  for (const { path } of await engine.hub.tree({ ...run.state.repo, commit: run.head })) {
    if (!path.startsWith(prefix)) continue;
    kept.add(path);
    const bytes = await engine.hub.read({ ...run.state.repo, commit: run.head }, path);
    if (bytes !== undefined) await writeFile(join(folder, `restored-${path.slice(prefix.length)}`), bytes);
  }
  return {
    folder,
    flush: async () => {
      const add: Addition[] = [];
      for (const name of (await readdir(folder)).filter((file) => file.endsWith('.jsonl') && !file.startsWith('restored-'))) {
        const content = await readFile(join(folder, name));
        const path = `${prefix}${sha256(content).slice(0, 16)}.jsonl`;
        if (content.length > 0 && !kept.has(path)) add.push({ path, content });
        kept.add(path);
      }
      if (add.length > 0) await run.advance(run.state, `calls of ${step}`, { add });
    },
  };
}
