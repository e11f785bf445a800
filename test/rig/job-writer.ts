import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FolderWorkspace } from '../../src/backends/folder-workspace.ts';
import { sha256 } from '../../src/base/sha256.ts';
import type { Addition, Hub } from '../../src/hub/hub.ts';
import { parseRef } from '../../src/model/artifact.ts';

/** Files by their path. */
type Files = Readonly<Record<string, string>>;

/** What a job does to its place, whatever that is. */
export interface JobWriter {
  events(text: string): Promise<void>;
  log(text: string): Promise<void>;
  put(files: Files): Promise<void>;
  drop(folder: string): Promise<void>;
  /** What the job's supervisor writes last. */
  exit(code: number): Promise<void>;
}

/** A job whose folder is on this disk. */
export function folderWriter(workspace: FolderWorkspace, place: string): JobWriter {
  const folder = workspace.folder(place);
  const put = async (files: Files): Promise<void> => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
  };
  return {
    events: (text) => appendFile(join(folder, 'events.jsonl'), text),
    log: (text) => appendFile(join(folder, 'log.txt'), text),
    put,
    drop: (path) => rm(join(folder, path), { recursive: true }),
    exit: (code) => put({ 'control/attempt/exit.json': JSON.stringify({ code, outOfMemory: false }) }),
  };
}

/** A job that pushes to a branch of its own, as scripts/train/hub_job.py does: whole lines, named by their offset. */
export function hubWriter(hub: Hub, place: string): JobWriter {
  const { revision: branch, ...repo } = parseRef(place) as NonNullable<ReturnType<typeof parseRef>>;
  const streams = { 'events/': { text: '', pushed: 0 }, 'log/': { text: '', pushed: 0 } };
  const commit = async (add: readonly Addition[], remove: readonly string[] = []): Promise<void> => {
    const parent = (await hub.resolve({ ...repo, revision: branch })) as string;
    await hub.commit({ repo, branch, parent, message: 'job', add, remove });
  };
  const push = async (folder: keyof typeof streams, text: string): Promise<void> => {
    const stream = streams[folder];
    stream.text += text;
    const content = stream.text.slice(stream.pushed, stream.text.lastIndexOf('\n') + 1);
    if (content === '') return;
    await commit([{ path: `${folder}${String(stream.pushed).padStart(12, '0')}.txt`, content }]);
    stream.pushed += Buffer.byteLength(content);
  };
  return {
    events: (text) => push('events/', text),
    log: (text) => push('log/', text),
    put: (files) => commit(Object.entries(files).map(([path, content]) => ({ path, content }))),
    drop: async (folder) => {
      const at = { ...repo, commit: (await hub.resolve({ ...repo, revision: branch })) as string };
      await commit(
        [],
        (await hub.tree(at)).map(({ path }) => path).filter((path) => path.startsWith(`${folder}/`)),
      );
    },
    exit: (code) => commit([{ path: 'exit.json', content: JSON.stringify({ code, outOfMemory: false }) }]),
  };
}

/** The files of a checkpoint, `checkpoints/checkpoint-N/...`, with its manifest. */
export function checkpointFiles(at: number): Record<string, string> {
  const folder = `checkpoints/checkpoint-${at}`;
  const files = {
    'shards/__0_0.distcp': `\0weights at ${at}`,
    'shards/.metadata': `\0places of weights at ${at}`,
    'sub/state.txt': `state ${at}`,
  };
  const listed = Object.entries(files).map(([path, text]) => ({ path, size: Buffer.byteLength(text), sha256: sha256(text) }));
  const manifest = { version: 1, step: at, world_size: 1, config_sha256: '0'.repeat(64), files: listed };
  return {
    ...Object.fromEntries(Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text])),
    [`${folder}/manifest.json`]: JSON.stringify(manifest),
  };
}
