import { stagesIn, stepsOf } from '../../src/plan/plan.ts';
import type { AifSpec } from '../../src/stages/aif/spec.ts';
import type { DdpoSpec } from '../../src/stages/ddpo/spec.ts';
import type { DsftSpec } from '../../src/stages/dsft/spec.ts';
import type { EvalSpec } from '../../src/stages/eval/spec.ts';
import type { ExamSpec } from '../../src/stages/exam/spec.ts';
import { loadStages } from '../../src/stages/module.ts';
import type { RecipeContext } from '../../src/stages/recipe-context.ts';
import { STAGES } from '../../src/stages/registry.ts';
import type { SetupSpec } from '../../src/stages/setup/spec.ts';
import type { Step, Task } from '../../src/stages/stage.ts';

/** A recipe with the sections of this zephyr's stages. */
export type StagedRecipe = RecipeContext & {
  readonly setup?: SetupSpec | undefined;
  readonly dsft: DsftSpec;
  readonly aif: AifSpec;
  readonly ddpo: DdpoSpec;
  readonly exam?: ExamSpec | undefined;
  readonly eval?: EvalSpec | undefined;
};

export const stages = await loadStages(STAGES);
/** Those of which a rehearsal of any shipped recipe, and of the least one of the tests, has a section. */
export const STAGE_NAMES = ['setup', 'dsft', 'aif', 'ddpo', 'exam', 'eval'];
export const tasks: Readonly<Record<string, Task>> = Object.assign({}, ...stages.map((stage) => stage.tasks));

const stepsIn = (name: string) => (recipe: RecipeContext) =>
  recipe[name] === undefined ? [] : (stages.find((stage) => stage.name === name)?.steps(recipe) ?? []);

export const STAGE_STEPS: Readonly<
  Record<keyof StagedRecipe & ('setup' | 'dsft' | 'aif' | 'ddpo' | 'exam'), (recipe: RecipeContext) => Step[]>
> = {
  setup: stepsIn('setup'),
  dsft: stepsIn('dsft'),
  aif: stepsIn('aif'),
  ddpo: stepsIn('ddpo'),
  exam: stepsIn('exam'),
};

/** The steps of all stages of a recipe. */
export const everyStep = (recipe: RecipeContext): Step[] => stepsOf(recipe, stages, stagesIn(recipe, stages));
