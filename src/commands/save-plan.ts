import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { atomicWrite } from '../base/atomic-write.ts';
import { shellWord, ZephyrError } from '../errors.ts';
import { isSavedPlan, type ToSave, writeSavedPlan } from '../plan/saved-plan.ts';
import { recipeSource } from '../recipe/load.ts';
import type { Context, Options } from './context.ts';

export function refuseToSave({ out, rehearsal }: { readonly out?: string; readonly rehearsal?: boolean }): void {
  if (out === undefined || rehearsal !== true) return;
  throw new ZephyrError('Cannot save the plan of a rehearsal: it costs nothing', { hint: 'zephyr rehearse RECIPE' });
}

/** Writes a plan where there is nothing yet, or an older plan: never over a recipe. */
export async function savePlan(
  context: Context,
  { set = [], hub, on, out: file }: Options & { readonly out?: string },
  { recipe, ...made }: Pick<ToSave, 'plan' | 'preview' | 'target'> & { readonly recipe: string },
): Promise<void> {
  if (file === undefined) return;
  const before = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new ZephyrError(`Cannot save the plan in "${file}": ${error.code === 'EISDIR' ? 'it is a folder' : error.code}`);
  });
  if (before !== undefined && !isSavedPlan(before))
    throw new ZephyrError(`Cannot save the plan in "${file}": it holds something else, expected a new file or an older plan`);
  const folder = dirname(resolve(file));
  if (!existsSync(folder)) throw new ZephyrError(`Cannot save the plan in "${file}": there is no folder "${folder}"`);
  const from = { hub, source: recipeSource(recipe, { set, on }, context), version: context.version, now: new Date() };
  try {
    await atomicWrite(resolve(file), writeSavedPlan({ ...made, ...from }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new ZephyrError(`Cannot save the plan in "${file}": ${code}`, { exit: 'preflight', cause: error });
  }
  process.stderr.write(`Saved; carried out without a question by: zephyr run ${shellWord(file)}\n`);
}
