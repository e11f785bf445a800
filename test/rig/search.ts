import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';

/** The files below a folder that hold one of the words, in their bytes or, for git's objects, in what is packed in them. */
export async function filesWith(folder: string, words: readonly string[]): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries.filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path);
    const texts = [bytes, unpacked(bytes)];
    if (words.some((word) => texts.some((text) => text.includes(word)))) found.push(path);
  }
  return found;
}

function unpacked(bytes: Buffer): Buffer {
  try {
    return inflateSync(bytes);
  } catch {
    return Buffer.alloc(0);
  }
}

export interface Sample {
  /** jobs that were looked at: processes whose working folder is a job's */
  readonly jobs: Set<string>;
  /** what held a word: arguments of any process, or the environment of a job */
  readonly found: Set<string>;
}

/** Looks at all processes of this machine until `ended`. */
export async function sampleProcesses(jobs: string, words: readonly string[], ended: Promise<unknown>): Promise<Sample> {
  const sample: Sample = { jobs: new Set(), found: new Set() };
  let over = false;
  void ended.finally(() => {
    over = true;
  });
  while (!over) {
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) await look(pid, jobs, words, sample);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return sample;
}

async function look(pid: string, jobs: string, words: readonly string[], { jobs: seen, found }: Sample): Promise<void> {
  const proc = (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  const argv = await proc('cmdline');
  if (words.some((word) => argv.includes(word))) found.add(`arguments of ${argv.replaceAll('\0', ' ')}`);
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
  if (!cwd.startsWith(jobs)) return;
  seen.add(cwd);
  const environ = await proc('environ');
  if (words.some((word) => environ.includes(word))) found.add(`environment of ${argv.replaceAll('\0', ' ')}`);
}
