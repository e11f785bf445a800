import type { RunName, Workspace } from '../backends/workspace.ts';
import { redactor } from '../render/redact.ts';
import type { Context } from './context.ts';
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
