import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readLinesFrom } from '../base/ndjson.ts';
import { EXIT, ZephyrError } from '../errors.ts';
import type { Target } from '../recipe/target.ts';
import { redactor } from '../render/redact.ts';
import { openTargetBackend } from './backend.ts';
import { type Options, openContext } from './context.ts';
import { findRun } from './find-run.ts';
import { knownSecrets } from './secrets.ts';

/** `zephyr logs ID [-f]`: what the jobs of a run printed, oldest first. */
export async function logs([id]: string[], options: Options & { readonly follow?: boolean }): Promise<number> {
  await using context = await openContext(options);
  const { state } = await findRun(context.hub, id as string);
  const folder = join(context.home, 'jobs', state.run);
  const jobs = (await readdir(folder).catch(() => []))
    .filter((name) => /-e\d+$/.test(name))
    .sort((a, b) => epochOf(a) - epochOf(b));
  if (jobs.length === 0)
    throw new ZephyrError(`Cannot show logs of ${state.run}: no job of it ran on this machine`, {
      exit: 'preflight',
      hint: `looked in "${folder}"`,
    });
  for (const job of jobs) {
    process.stdout.write(`==> ${job} <==\n`);
    let offset = await copyFrom(join(folder, job, 'log.txt'), 0);
    const handle = state.job?.handle;
    while (options.follow === true && job === jobs.at(-1) && handle != null && !context.signal.aborted) {
      const { state: running } = await openTargetBackend(context, state.target as Target).state(handle);
      offset = await copyFrom(join(folder, job, 'log.txt'), offset);
      if (running !== 'running') break;
      await sleep(500);
    }
  }
  return EXIT.done;
}

function epochOf(name: string): number {
  return Number(name.slice(name.lastIndexOf('-e') + 2));
}

async function copyFrom(path: string, offset: number): Promise<number> {
  const lines = await readLinesFrom(path, offset);
  const redact = redactor(knownSecrets);
  for (const { text } of lines) process.stdout.write(`${redact(text)}\n`);
  return lines.at(-1)?.end ?? offset;
}
