import type { Artifact } from '../../src/model/outcome.ts';
import { hubRefs, type Plan, type PlanRequest, planRecipe } from '../../src/plan/plan.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { STAGE_STEPS } from '../../src/stages/registry.ts';
import { STAGE_NAMES, type StageName } from '../../src/stages/stage.ts';

/** An artifact that is nowhere, told apart by one hex digit. */
export function artifact(type: 'model' | 'dataset', digit: string): Artifact {
  return { ref: { type, name: `org/${digit}`, commit: digit.repeat(40) }, digest: digit.repeat(64) };
}

export function pinsOf(recipe: Recipe, goal: readonly StageName[]): Map<string, Artifact> {
  return new Map(hubRefs(recipe, goal).map((ref, index) => [ref, artifact('dataset', index.toString(16))]));
}

/** A digest for every file that any step reads. */
export function allFiles(recipe: Recipe): Record<string, string> {
  const files = STAGE_NAMES.flatMap((stage) => STAGE_STEPS[stage](recipe)).flatMap((step) => step.files);
  return Object.fromEntries(files.map((file) => [file, 'f'.repeat(64)]));
}

export function plan(recipe: Recipe, goal: readonly StageName[], request: Partial<PlanRequest> = {}): Plan {
  return planRecipe({
    recipe,
    goal,
    stageInputs: {},
    pins: pinsOf(recipe, goal),
    fileDigests: allFiles(recipe),
    environments: { train: 'packages' },
    ...request,
  });
}
