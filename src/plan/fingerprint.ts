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
