import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readLinesFrom } from '../base/ndjson.ts';
import type { LogLine } from '../engine/event-log.ts';
import { plainLines } from '../render/plain.ts';
import { redactor } from '../render/redact.ts';
import type { Context, Options } from './context.ts';
import { knownSecrets } from './secrets.ts';

/** Copies what is new in the logs of all jobs of a run; says whether there is any job. */
export function logCopier(context: Context, folder: string): () => Promise<boolean> {
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
