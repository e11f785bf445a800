import type { Ingredients } from '../model/fingerprint.ts';
import type { Artifact } from '../model/outcome.ts';
import { fingerprintStep } from '../plan/fingerprint.ts';
import type { Plan, PlannedStep } from '../plan/plan.ts';

/** A step of which every input is a known artifact. */
export interface Bound {
  readonly inputs: Readonly<Record<string, Artifact>>;
  readonly ingredients: Ingredients;
  readonly fingerprint: string;
}

/** `produced` holds what stages (`dsft`) and steps (`dsft/prepare`) have published so far. */
export function bind(plan: Plan, step: PlannedStep, produced: ReadonlyMap<string, Artifact>): Bound {
  const inputs: Record<string, Artifact> = {};
  for (const [name, input] of Object.entries(step.inputs)) {
    const artifact =
      input.from === 'hub'
        ? plan.pins.get(input.ref)
        : produced.get(input.from === 'step' ? `${step.stage}/${input.step}` : input.step === undefined ? input.stage : `${input.stage}/${input.step}`);
    if (artifact === undefined) throw new Error(`Cannot bind input "${name}" of ${step.stage}/${step.name}: nothing was produced for ${JSON.stringify(input)}`);
    inputs[name] = artifact;
  }
  const digests = Object.fromEntries(Object.entries(inputs).map(([name, { digest }]) => [name, digest]));
  return { inputs, ...fingerprintStep(step, digests, plan.fileDigests, plan.environment) };
}
