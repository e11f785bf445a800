import type { Artifact } from '../../src/model/outcome.ts';
import { hubRefs, type Plan, type PlanRequest, planRecipe, stagesIn, stepsOf } from '../../src/plan/plan.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { stages } from '../rig/stages.ts';

/** An artifact that is nowhere, told apart by one hex digit. */
export function artifact(type: 'model' | 'dataset', digit: string): Artifact {
  return { ref: { type, name: `org/${digit}`, commit: digit.repeat(40) }, digest: digit.repeat(64) };
}

export function pinsOf(recipe: Recipe, goal: readonly string[]): Map<string, Artifact> {
  return new Map(hubRefs(recipe, stages, goal).map((ref, index) => [ref, artifact('dataset', index.toString(16))]));
}

/** A digest for every file that any step reads. */
export function allFiles(recipe: Recipe): Record<string, string> {
  const files = stepsOf(recipe, stages, stagesIn(recipe, stages)).flatMap((step) => step.files);
  return Object.fromEntries(files.map((file) => [file, 'f'.repeat(64)]));
}

export function plan(recipe: Recipe, goal: readonly string[], request: Partial<PlanRequest> = {}): Plan {
  return planRecipe({
    recipe,
    registry: stages,
    stages: goal,
    stageInputs: {},
    pins: pinsOf(recipe, goal),
    fileDigests: allFiles(recipe),
    environments: { train: 'packages' },
    ...request,
  });
}
