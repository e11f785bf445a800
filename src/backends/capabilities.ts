import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { atomicWrite } from '../base/atomic-write.ts';
import { sha256 } from '../base/sha256.ts';
import { ZephyrError } from '../errors.ts';
import { readIfThere } from './job-folder.ts';

/** The program that an interpreter is asked with, in scripts/train. */
export const PROBE = 'attention.py';
/** Milliseconds that an answer may take: PyTorch is imported for it, from a cold disk perhaps. */
export const PROBE_MS = 300_000;

/** What the last line of attention.py says, as `Capabilities` has it, and where packages lie, as the interpreter sees it. */
const answer = z.object({
  torch: z.string(),
  gpus: z.array(z.string()),
  lacks: z.record(z.string(), z.string().nullable()),
  paths: z.array(z.string()),
});
type ProbeAnswer = z.infer<typeof answer>;

export interface Asked {
  /** folder of this user for what can be made again */
  readonly cache: string;
  readonly root: string;
  /** what the answer depends on: an image, an interpreter, the options that it is started with */
  readonly key: readonly string[];
  /** Whether devices are asked for: then an answer that names none is not kept, since a driver may be put right. */
  readonly gpus: boolean;
  /** Whether `paths` of the answer are paths of this machine, whose change makes it void. */
  readonly isHere: boolean;
  /** Runs the probe and returns what it printed. */
  readonly run: () => Promise<string>;
}

/** The answer of an interpreter: the one that was kept, or a new one. Asking takes seconds. */
export async function keptAnswer(asked: Asked): Promise<ProbeAnswer> {
  const { cache, root, key, gpus, isHere, run } = asked;
  const program = await readFile(join(root, 'scripts', 'train', PROBE), 'utf8');
  const name = sha256(JSON.stringify([key, gpus, sha256(program)])).slice(0, 16);
  const file = join(cache, 'capabilities', `${name}.json`);
  const kept = keptFile.safeParse(parsed(await readIfThere(file)));
  if (kept.success && (!isHere || kept.data.times === (await timesOf(kept.data.answer.paths)))) return kept.data.answer;
  const printed = await run();
  const found = answer.safeParse(parsed(printed.trimEnd().split('\n').at(-1)));
  if (!found.success) throw new Error(`Cannot read what ${PROBE} printed: ${printed.slice(-500)}`);
  if (!gpus || found.data.gpus.length > 0) {
    await mkdir(dirname(file), { recursive: true });
    const times = isHere ? await timesOf(found.data.paths) : '';
    await atomicWrite(file, JSON.stringify({ times, answer: found.data } satisfies z.infer<typeof keptFile>));
  }
  return found.data;
}

const keptFile = z.object({ times: z.string(), answer });

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

/** When packages were last installed or taken away; a folder that is not there is a time too. */
async function timesOf(paths: readonly string[]): Promise<string> {
  const times = paths.map((path) =>
    stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ),
  );
  return (await Promise.all(times)).join(' ');
}

/** The interpreter did not answer at all. */
export function noAnswer(who: string, why: string, hint: string): ZephyrError {
  return new ZephyrError(`Cannot ask ${who} what it can use: ${why}`, { exit: 'preflight', hint });
}

/** What brings flash attention into a Python environment whose pins are in the file `pins`. */
export function remedyOf(python: string, pins: string): string {
  const folder = dirname(pins);
  return `bring it there: ${python} -m pip install -r ${join(folder, 'requirements-gpu.txt')} && ${python} ${join(folder, 'bake_kernels.py')}`;
}
