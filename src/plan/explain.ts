import { isDamage } from '../hub/damage.ts';
import type { Hub } from '../hub/hub.ts';
import type { Artifact } from '../model/outcome.ts';
import { type Bound, bind, producedKey } from './bind.ts';
import { findCandidate, nearestCandidate } from './find.ts';
import type { Plan, PlannedStep } from './plan.ts';
import { diffIngredients, formatDifference } from './why.ts';

/** What would become of a step, and the reason in a few words. */
export type Decision =
  | {
      readonly step: PlannedStep;
      readonly action: 'reuse';
      readonly artifact: Artifact;
      readonly fingerprint: string;
      readonly why: string;
    }
  | { readonly step: PlannedStep; readonly action: 'run'; readonly fingerprint: string | undefined; readonly why: string };

/** Follows the plan over what the Hub holds already, as a run would, without starting anything. */
export async function explain(plan: Plan, hub: Hub): Promise<Decision[]> {
  const produced = new Map<string, Artifact>(Object.entries(plan.stageInputs));
  const decisions: Decision[] = [];
  for (const step of plan.steps) {
    const decision = await decide(plan, step, produced, hub);
    decisions.push(decision);
    const key = `${step.stage}/${step.name}`;
    const last = plan.steps.filter((other) => other.stage === step.stage).at(-1) === step;
    if (decision.action === 'reuse') for (const name of last ? [key, step.stage] : [key]) produced.set(name, decision.artifact);
  }
  return decisions;
}

async function decide(plan: Plan, step: PlannedStep, produced: ReadonlyMap<string, Artifact>, hub: Hub): Promise<Decision> {
  const bound = bind(plan, step, produced);
  if (bound === undefined) return { step, action: 'run', fingerprint: undefined, why: unbound(plan, step, produced) };
  try {
    return await decidePublished(step, bound, hub);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { step, action: 'run', fingerprint: bound.fingerprint, why: 'what is published is damaged' };
  }
}

async function decidePublished(step: PlannedStep, { fingerprint, ingredients }: Bound, hub: Hub): Promise<Decision> {
  const candidate = await findCandidate(hub, step.output, fingerprint);
  if (candidate !== undefined)
    return { step, action: 'reuse', artifact: candidate.artifact, fingerprint, why: 'an equal step published it' };
  const nearest = await nearestCandidate(hub, step.output);
  if (nearest === undefined) return { step, action: 'run', fingerprint, why: 'nothing published yet' };
  const difference = diffIngredients(nearest.manifest.ingredients, ingredients);
  return { step, action: 'run', fingerprint, why: difference === undefined ? 'its tag is gone' : formatDifference(difference) };
}

function unbound(plan: Plan, step: PlannedStep, produced: ReadonlyMap<string, Artifact>): string {
  for (const input of Object.values(step.inputs)) {
    if (input.from !== 'hub') {
      const key = producedKey(step.stage, input);
      if (!produced.has(key)) return `its input ${key} will be made first`;
    } else if (!plan.pins.has(input.ref)) return `its input ${input.ref} is not on the Hub`;
  }
  throw new Error(`Cannot say what ${step.stage}/${step.name} waits for: all its inputs are known`);
}
