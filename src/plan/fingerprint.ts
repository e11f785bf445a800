import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { sha256 } from '../base/sha256.ts';
import { fingerprintOf, type Ingredients } from '../model/fingerprint.ts';
import type { Step } from '../stages/stage.ts';

/** Digests of Python environments, by name. */
export type EnvironmentDigests = Readonly<Record<string, string>>;

/** The digest of the environment that a step's job runs in; an in-process step has none. */
export function environmentOf({ work }: Step, digests: EnvironmentDigests): string | undefined {
  if (work.kind !== 'job') return undefined;
  const digest = digests[work.environment];
  if (digest === undefined) throw new Error(`Cannot plan without the digest of the Python environment "${work.environment}"`);
  return digest;
}

/**
 * The ingredients of a step whose inputs are known, and their fingerprint. `inputDigests` and `fileDigests` may hold more
 * than the step reads. `environment` is the digest of what a job's Python holds; an in-process step has none of it.
 */
export function fingerprintStep(
  step: Step,
  inputDigests: Readonly<Record<string, string>>,
  fileDigests: Readonly<Record<string, string>>,
  environment: string | undefined,
): { readonly ingredients: Ingredients; readonly fingerprint: string } {
  const ingredients: Ingredients = {
    version: 'zephyr-fingerprint/1',
    stage: step.stage,
    step: step.name,
    inputs: pick(inputDigests, Object.keys(step.inputs), `input of ${step.stage}/${step.name}`),
    config: step.config,
    files: pick(fileDigests, step.files, 'file of scripts/train'),
    ...(step.work.kind === 'job' && environment !== undefined ? { environment } : {}),
  };
  return { ingredients, fingerprint: fingerprintOf(ingredients) };
}

function pick(digests: Readonly<Record<string, string>>, names: readonly string[], what: string): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => {
      const digest = digests[name];
      if (digest === undefined) throw new Error(`Cannot fingerprint without the digest of "${name}", a ${what}`);
      return [name, digest];
    }),
  );
}

/** sha256 of every file below scripts/train, by its path there, with `/`; compiled Python is left out. */
export async function readStepFiles(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.pyc'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  // small files: to read one costs less than to hand it to a thread
  return Object.fromEntries(paths.map((path) => [relative(folder, path).split(sep).join('/'), sha256(readFileSync(path))]));
}
