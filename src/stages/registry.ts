import type { AifSpec } from './aif/spec.ts';
import { aifSteps } from './aif/steps.ts';
import type { DdpoSpec } from './ddpo/spec.ts';
import { ddpoSteps } from './ddpo/steps.ts';
import type { DsftSpec } from './dsft/spec.ts';
import { dsftSteps } from './dsft/steps.ts';
import type { ExamSpec } from './exam/spec.ts';
import { examSteps } from './exam/steps.ts';
import type { Setting } from './recipe-context.ts';
import type { SetupSpec } from './setup/spec.ts';
import { setupSteps } from './setup/steps.ts';
import type { StageName, Step } from './stage.ts';

/** A recipe as the stages read it. `setup` and `exam` are there in a rehearsal only. */
export interface StagedRecipe extends Setting {
  readonly setup?: SetupSpec | undefined;
  readonly dsft: DsftSpec;
  readonly aif: AifSpec;
  readonly ddpo: DdpoSpec;
  readonly exam?: ExamSpec | undefined;
}

/** The steps of every stage, in the order in which they run; the last one's artifact is the stage's. None: not in this recipe. */
export const STAGE_STEPS = {
  setup: (recipe) => (recipe.setup === undefined ? [] : setupSteps(recipe, recipe.setup)),
  dsft: (recipe) => dsftSteps(recipe, recipe.dsft),
  aif: (recipe) => aifSteps(recipe, recipe.aif),
  ddpo: (recipe) => ddpoSteps(recipe, recipe.ddpo, heldOut(recipe.aif)),
  exam: (recipe) => (recipe.exam === undefined ? [] : examSteps(recipe, recipe.exam)),
} satisfies Record<StageName, (recipe: StagedRecipe) => Step[]>;

/** The split that stage aif publishes beside its training split; published pairs may have none. */
function heldOut(aif: AifSpec): string | null {
  return aif.source === 'pairs' && aif.test === null ? null : 'test_prefs';
}
