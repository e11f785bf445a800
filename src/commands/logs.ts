import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readLinesFrom } from '../base/ndjson.ts';
import { EXIT, ZephyrError } from '../errors.ts';
import { redactor } from '../render/redact.ts';
import { type Context, type Options, openContext } from './context.ts';
import { RunWatch } from './look-at-run.ts';
import { runExit } from './run-exit.ts';
import { knownSecrets } from './secrets.ts';
import { silentHub } from './wait.ts';

/** Milliseconds between two looks at the logs; the Hub is asked at every fourth. */
const POLL_MS = 500;
const POLLS_A_LOOK = 4;

/** `zephyr logs ID [-f]`: what the jobs of a run printed, oldest first; with `-f` until the run ends, and how far its job is. */
export async function logs([id]: string[], options: Options & { readonly follow?: boolean }): Promise<number> {
  await using context = await openContext(options);
  const watch = new RunWatch(context, id as string);
  const { state } = await watch.look();
  const folder = join(context.home, 'jobs', state.run);
  const copy = logCopier(context, folder);
  if (!(await copy()) && options.follow !== true)
    throw new ZephyrError(`Cannot show logs of ${state.run}: no job of it ran on this machine`, {
      exit: 'preflight',
      hint: `looked in "${folder}"`,
    });
  for (let poll = 0; options.follow === true && !context.signal.aborted; poll += 1) {
    if (poll % POLLS_A_LOOK === 0) {
      const look = await watch.look().catch((error: unknown) => silentHub(error, context.emit));
      const step = look?.state.job?.step;
      if (look !== undefined && step !== undefined)
        for (const event of look.events) context.emit({ type: 'job', stage: look.state.stage, step, event });
      await copy();
      if (look !== undefined && runExit(look.state, look.job) !== EXIT.running) break;
    } else await copy();
    await sleep(POLL_MS, undefined, { signal: context.signal }).catch(() => undefined);
  }
  return EXIT.done;
}

/** Copies what is new in the logs of all jobs of a run; says whether there is any job. */
function logCopier(context: Context, folder: string): () => Promise<boolean> {
  const offsets = new Map<string, number>();
  const redact = redactor(knownSecrets);
  // on a terminal both streams are one: the lines go above the live view
  const isOne = process.stdout.isTTY && process.stderr.isTTY;
  const write = (text: string): void => {
    if (isOne) context.renderer.print(text);
    else process.stdout.write(`${text}\n`);
  };
  return async () => {
    const jobs = (await readdir(folder).catch(() => []))
      .filter((name) => /-e\d+$/.test(name))
      .sort((a, b) => epochOf(a) - epochOf(b));
    for (const job of jobs) {
      const from = offsets.get(job);
      if (from === undefined) write(`==> ${job} <==`);
      const lines = await readLinesFrom(join(folder, job, 'log.txt'), from ?? 0);
      for (const { text } of lines) write(redact(text));
      offsets.set(job, lines.at(-1)?.end ?? from ?? 0);
    }
    return jobs.length > 0;
  };
}

function epochOf(name: string): number {
  return Number(name.slice(name.lastIndexOf('-e') + 2));
}
