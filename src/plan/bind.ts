import type { Ingredients } from '../model/fingerprint.ts';
import type { Artifact } from '../model/outcome.ts';
import type { StepInput } from '../stages/stage.ts';
import { environmentOf, fingerprintStep } from './fingerprint.ts';
import type { Plan, PlannedStep } from './plan.ts';

/** A step of which every input is a known artifact. */
export interface Bound {
  readonly inputs: Readonly<Record<string, Artifact>>;
  readonly ingredients: Ingredients;
  readonly fingerprint: string;
}

/** What stages (`STAGE`) and their steps (`STAGE/STEP`) have published so far. */
export type Produced = ReadonlyMap<string, Artifact>;

/** The step with its inputs in hand; `undefined` while one of them is yet to be made. */
export function bind(plan: Plan, step: PlannedStep, produced: Produced): Bound | undefined {
  const inputs: Record<string, Artifact> = {};
  for (const [name, input] of Object.entries(step.inputs)) {
    const artifact = input.from === 'hub' ? plan.pins.get(input.ref) : produced.get(producedKey(step.stage, input));
    if (artifact === undefined) return undefined;
    inputs[name] = artifact;
  }
  const digests = Object.fromEntries(Object.entries(inputs).map(([name, { digest }]) => [name, digest]));
  return { inputs, ...fingerprintStep(step, digests, plan.fileDigests, environmentOf(step, plan.environments)) };
}

/** The key in `Produced` of an input that a stage or a step makes. */
export function producedKey(stage: string, input: Exclude<StepInput, { from: 'hub' }>): string {
  if (input.from === 'step') return `${stage}/${input.step}`;
  return input.step === undefined ? input.stage : `${input.stage}/${input.step}`;
}
