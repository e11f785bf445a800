import type { RunName, Workspace } from '../backends/workspace.ts';
import type { Target } from '../recipe/target.ts';
import { redactor } from '../render/redact.ts';
import { openTargetBackend } from './backend.ts';
import type { Context } from './context.ts';
import type { RunLook } from './look-at-run.ts';
import { lookShower } from './run-history.ts';
import { knownSecrets } from './secrets.ts';

/** Prints what the jobs of a run have printed; with `follow` shows the run itself as well. */
export async function jobPrinter(context: Context, { state }: RunLook, follow: boolean) {
  const { workspace } = await openTargetBackend(context, state.target as Target);
  const copy = logCopier(context, workspace, state);
  const attach = lookShower(context);
  return async (look: RunLook | undefined): Promise<boolean> => {
    if (follow && look !== undefined) attach(look);
    return await copy();
  };
}

/** Copies what is new in the logs of all jobs of a run; says whether there is any job. */
function logCopier(context: Context, workspace: Workspace, run: RunName): () => Promise<boolean> {
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
