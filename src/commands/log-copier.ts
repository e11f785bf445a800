import type { RunName, Workspace } from '../backends/workspace.ts';
import type { LogLine } from '../engine/event-log.ts';
import { plainLines } from '../render/plain.ts';
import { redactor } from '../render/redact.ts';
import type { Context, Options } from './context.ts';
import { knownSecrets } from './secrets.ts';

/** Copies what is new in the logs of all jobs of a run; says whether there is any job. */
export function logCopier(context: Context, workspace: Workspace, run: RunName): () => Promise<boolean> {
  const offsets = new Map<string, number>();
  const redact = redactor(knownSecrets);
  // on a terminal both streams are one: the lines go above the live view
  const isOne = process.stdout.isTTY && process.stderr.isTTY;
  const write = (text: string): void => {
    if (isOne) context.renderer.print(text);
    else process.stdout.write(`${text}\n`);
  };
  return async () => {
    const jobs = await workspace.jobs(run);
    for (const { name, place } of jobs) {
      const from = offsets.get(name);
      if (from === undefined) write(`==> ${name} <==`);
      const lines = await workspace.log(place, from ?? 0);
      for (const { text } of lines) write(redact(text));
      offsets.set(name, lines.at(-1)?.end ?? from ?? 0);
    }
    return jobs.length > 0;
  };
}

/** Prints every line of the log on stdout, in words or, with `--json`, as it is; says whether there was one so far. */
export function eventPrinter({ json = false }: Options): (lines: readonly LogLine[]) => boolean {
  const redact = redactor(knownSecrets);
  const words = plainLines({ dates: true });
  let isAny = false;
  return (lines) => {
    isAny ||= lines.length > 0;
    const texts = json ? lines.map(({ text }) => text) : lines.flatMap(({ event, at }) => words(event, at));
    for (const text of texts) process.stdout.write(`${redact(text)}\n`);
    return isAny;
  };
}
