import { ZephyrError } from '../errors.ts';
import { formatRef, parseRef, sameRepo } from '../model/artifact.ts';
import type { Ingredients } from '../model/fingerprint.ts';
import type { Artifact } from '../model/outcome.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { STAGE_STEPS } from '../stages/registry.ts';
import { STAGE_NAMES, type StageName, type Step, type StepInput } from '../stages/stage.ts';
import { type EnvironmentDigests, environmentOf, fingerprintStep } from './fingerprint.ts';
import { refuseOwnInputs } from './outputs.ts';
import { refuseCalls } from './refuse-calls.ts';

/** A step in its place. What depends on an artifact that is yet to be made is `undefined` until the step is bound. */
export interface PlannedStep extends Step {
  readonly ingredients: Ingredients | undefined;
  readonly fingerprint: string | undefined;
}

export interface Plan {
  readonly recipe: Recipe;
  /** in the order in which stages run */
  readonly goal: readonly StageName[];
  readonly steps: readonly PlannedStep[];
  /** artifacts of stages outside of the goal */
  readonly stageInputs: Readonly<Partial<Record<StageName, Artifact>>>;
  /** what the Hub's references mean, by their text; a plan with all of them can be run */
  readonly pins: ReadonlyMap<string, Artifact>;
  /** sha256 of the files of scripts/train, by path below it */
  readonly fileDigests: Readonly<Record<string, string>>;
  readonly environments: EnvironmentDigests;
}

export interface PlanRequest {
  readonly recipe: Recipe;
  readonly goal: readonly StageName[];
  readonly stageInputs: Readonly<Partial<Record<StageName, Artifact>>>;
  readonly pins: ReadonlyMap<string, Artifact>;
  readonly fileDigests: Readonly<Record<string, string>>;
  readonly environments: EnvironmentDigests;
}

/** Data to data: nothing is read, nothing is asked. Throws a `ZephyrError` when a stage has no artifact to start from. */
export function planRecipe(request: PlanRequest): Plan {
  const { recipe, stageInputs, pins, fileDigests, environments } = request;
  const goal = STAGE_NAMES.filter((stage) => request.goal.includes(stage));
  const steps = stepsOf(recipe, goal);
  refuseBase(recipe, stageInputs.dsft);
  refuseCalls(steps, recipe.teachers);
  const planned = steps.map((step): PlannedStep => {
    const digests: Record<string, string> = {};
    for (const [name, input] of Object.entries(step.inputs)) {
      const artifact = artifactOf(step, input, goal, stageInputs, pins);
      if (artifact !== undefined) digests[name] = artifact.digest;
    }
    const known = Object.keys(step.inputs).every((name) => name in digests);
    const { ingredients, fingerprint } = known
      ? fingerprintStep(step, digests, fileDigests, environmentOf(step, environments))
      : { ingredients: undefined, fingerprint: undefined };
    return { ...step, ingredients, fingerprint };
  });
  refuseOwnInputs(steps, [...pins.values(), ...Object.values(stageInputs)]);
  return { recipe, goal, steps: planned, stageInputs, pins, fileDigests, environments };
}

/** The Hub references that these stages read, to be pinned before the plan is made. */
export function hubRefs(recipe: Recipe, goal: readonly StageName[]): string[] {
  const inputs = stepsOf(recipe, goal).flatMap((step) => Object.values(step.inputs));
  return [...new Set(inputs.flatMap((input) => (input.from === 'hub' ? [input.ref] : [])))];
}

/** Names of the Python environments that jobs of these stages run in, whose digests a plan is made of. */
export function environmentNames(recipe: Recipe, goal: readonly StageName[]): string[] {
  return [...new Set(stepsOf(recipe, goal).flatMap(({ work }) => (work.kind === 'job' ? [work.environment] : [])))];
}

/** dDPO needs dSFT first: without it the paper's MT-Bench falls from 7.00 to 4.76. */
function refuseBase(recipe: Recipe, dsft: Artifact | undefined): void {
  const base = parseRef(recipe.base);
  if (base === undefined || dsft === undefined || !sameRepo(base, dsft.ref)) return;
  throw new ZephyrError(`Cannot use "${formatRef(dsft.ref)}" as the model of stage "dsft": it is the base model`, {
    hint: `fine-tune it first: zephyr dsft RECIPE`,
  });
}

/** The steps of these stages, in the order in which they run. */
export function stepsOf(recipe: Recipe, goal: readonly StageName[]): Step[] {
  return STAGE_NAMES.filter((stage) => goal.includes(stage)).flatMap((stage) => {
    const steps = STAGE_STEPS[stage](recipe);
    if (steps.length === 0) {
      throw new ZephyrError(`Cannot plan stage "${stage}" of recipe "${recipe.name}": it exists in a rehearsal only`, {
        hint: 'run it with: zephyr rehearse RECIPE',
      });
    }
    return steps;
  });
}

/** `undefined` for what the plan itself will make, and for what is not on the Hub. */
function artifactOf(
  step: Step,
  input: StepInput,
  goal: readonly StageName[],
  stageInputs: PlanRequest['stageInputs'],
  pins: PlanRequest['pins'],
): Artifact | undefined {
  if (input.from === 'step') return undefined;
  if (input.from === 'hub') return pins.get(input.ref);
  if (goal.includes(input.stage)) return undefined;
  const given = input.step === undefined ? stageInputs[input.stage] : undefined;
  if (given !== undefined) return given;
  const type = input.stage === 'aif' ? 'datasets' : 'models';
  throw new ZephyrError(`Cannot plan stage "${step.stage}" without the artifact of stage "${input.stage}"`, {
    hint:
      input.step === undefined
        ? `name it with --${input.stage} hf://${type}/ORG/NAME[@REVISION], or run the stage ${input.stage} first: zephyr ${input.stage} RECIPE`
        : 'run the rehearsal from its beginning: zephyr rehearse RECIPE',
  });
}
