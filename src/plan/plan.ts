import { ZephyrError } from '../errors.ts';
import { formatRef, parseRef, sameRepo } from '../model/artifact.ts';
import type { Ingredients } from '../model/fingerprint.ts';
import type { Artifact } from '../model/outcome.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Stage } from '../stages/module.ts';
import type { Step, StepInput } from '../stages/stage.ts';
import type { TeacherSpec } from '../teachers/spec.ts';
import { type EnvironmentDigests, environmentOf, fingerprintStep } from './fingerprint.ts';
import { refuseOwnInputs } from './outputs.ts';

/** A step in its place. What depends on an artifact that is yet to be made is `undefined` until the step is bound. */
export interface PlannedStep extends Step {
  readonly ingredients: Ingredients | undefined;
  readonly fingerprint: string | undefined;
}

export interface PlanRequest {
  readonly recipe: Recipe;
  /** every stage of this zephyr, in the order in which they run */
  readonly registry: readonly Stage[];
  /** the names of those to run */
  readonly stages: readonly string[];
  /** artifacts of stages that are not run, by name */
  readonly stageInputs: Readonly<Record<string, Artifact>>;
  /** what the Hub's references mean, by their text; a plan with all of them can be run */
  readonly pins: ReadonlyMap<string, Artifact>;
  /** sha256 of the files of scripts/train, by path below it */
  readonly fileDigests: Readonly<Record<string, string>>;
  readonly environments: EnvironmentDigests;
}

/** `stages` are in the order in which they run. */
export interface Plan extends PlanRequest {
  readonly steps: readonly PlannedStep[];
}

/** Data to data: nothing is read, nothing is asked. Throws a `ZephyrError` when a stage has no artifact to start from. */
export function planRecipe(request: PlanRequest): Plan {
  const { recipe, registry, stageInputs, pins, fileDigests, environments } = request;
  const stages = registry.map(({ name }) => name).filter((name) => request.stages.includes(name));
  const steps = stepsOf(recipe, registry, stages);
  refuseBase(recipe, stageInputs);
  refuseCalls(steps, recipe.teachers);
  const planned = steps.map((step): PlannedStep => {
    const digests: Record<string, string> = {};
    for (const [name, input] of Object.entries(step.inputs)) {
      const artifact = artifactOf(step, input, { ...request, stages });
      if (artifact !== undefined) digests[name] = artifact.digest;
    }
    const known = Object.keys(step.inputs).every((name) => name in digests);
    const { ingredients, fingerprint } = known
      ? fingerprintStep(step, digests, fileDigests, environmentOf(step, environments))
      : { ingredients: undefined, fingerprint: undefined };
    return { ...step, ingredients, fingerprint };
  });
  refuseOwnInputs(steps, [...pins.values(), ...Object.values(stageInputs)]);
  return { ...request, stages, steps: planned };
}

/** The Hub references that these stages read, to be pinned before the plan is made. */
export function hubRefs(recipe: Recipe, registry: readonly Stage[], stages: readonly string[]): string[] {
  const inputs = stepsOf(recipe, registry, stages).flatMap((step) => Object.values(step.inputs));
  return [...new Set(inputs.flatMap((input) => (input.from === 'hub' ? [input.ref] : [])))];
}

/** Names of the Python environments that jobs of these stages run in, whose digests a plan is made of. */
export function environmentNames(recipe: Recipe, registry: readonly Stage[], stages: readonly string[]): string[] {
  const steps = stepsOf(recipe, registry, stages);
  return [...new Set(steps.flatMap(({ work }) => (work.kind === 'job' ? [work.environment] : [])))];
}

/** The stages that a recipe runs: those with a section in it. */
export function stagesIn(recipe: Recipe, registry: readonly Stage[]): string[] {
  return registry.map(({ name }) => name).filter((name) => recipe[name] !== undefined);
}

/** No stage makes the base model, and DPO needs SFT first: without it the paper's MT-Bench falls from 7.00 to 4.76. */
function refuseBase(recipe: Recipe, stageInputs: PlanRequest['stageInputs']): void {
  const base = parseRef(recipe.base);
  for (const [stage, { ref }] of Object.entries(stageInputs)) {
    if (base === undefined || !sameRepo(base, ref)) continue;
    throw new ZephyrError(`Cannot use "${formatRef(ref)}" as the model of stage "${stage}": it is the base model`, {
      hint: `run the stage first: zephyr ${stage} RECIPE`,
    });
  }
}

/** The steps of these stages, in the order in which they run. */
export function stepsOf(recipe: Recipe, registry: readonly Stage[], stages: readonly string[]): Step[] {
  return registry
    .filter(({ name }) => stages.includes(name))
    .flatMap((stage) => {
      if (recipe[stage.name] !== undefined) return stage.steps(recipe);
      if (stage.rehearsalOnly !== true)
        throw new ZephyrError(`Cannot plan stage "${stage.name}": recipe "${recipe.name}" has no section of that name`, {
          hint: 'zephyr schema recipe says what may stand in it',
        });
      throw new ZephyrError(`Cannot plan stage "${stage.name}" of recipe "${recipe.name}": it exists in a rehearsal only`, {
        hint: 'run it with: zephyr rehearse RECIPE',
      });
    });
}

/** `undefined` for what the plan itself will make, and for what is not on the Hub. */
function artifactOf(step: Step, input: StepInput, { registry, stages, stageInputs, pins }: PlanRequest): Artifact | undefined {
  if (input.from === 'step') return undefined;
  if (input.from === 'hub') return pins.get(input.ref);
  const { stage, step: one } = input;
  if (stages.includes(stage)) return undefined;
  const given = one === undefined ? stageInputs[stage] : undefined;
  if (given !== undefined) return given;
  const type = registry.find(({ name }) => name === stage)?.artifact;
  throw new ZephyrError(`Cannot plan stage "${step.stage}" without the artifact of stage "${stage}"`, {
    hint:
      one === undefined
        ? `name it with --${stage} hf://${type}s/ORG/NAME[@REVISION], or run the stage ${stage} first: zephyr ${stage} RECIPE`
        : 'run the rehearsal from its beginning: zephyr rehearse RECIPE',
  });
}

/** Refuses, before anything is spent, a call that its server would never admit: it would be waited for without end. */
export function refuseCalls(steps: readonly Step[], teachers: Readonly<Record<string, TeacherSpec>>): void {
  for (const { stage, name, calls } of steps) {
    for (const { teacher, purpose, inputTokens, outputTokens } of calls ?? []) {
      const limit = teachers[teacher]?.limits.tokensPerMinute;
      const tokens = Math.round(inputTokens + outputTokens);
      if (limit === undefined || tokens <= limit) continue;
      throw new ZephyrError(
        `Cannot plan ${stage}/${name}: a call "${purpose}" takes about ${tokens} tokens, teacher "${teacher}" admits ${limit} a minute`,
        { hint: `correct teachers.${teacher}.limits.tokensPerMinute, or ask for shorter replies with maxTokens` },
      );
    }
  }
}
