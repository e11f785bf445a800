import type { AifSpec } from '../aif/spec.ts';
import type { Mistake } from '../mistake.ts';
import type { StageBody } from '../module.ts';
import { ddpoRehearsal } from './rehearse.ts';
import { type DdpoRecipe, ddpoSpec } from './spec.ts';
import { ddpoSteps } from './steps.ts';

export const body = {
  spec: ddpoSpec,
  steps: (recipe: DdpoRecipe) => ddpoSteps(recipe, recipe.ddpo, heldOut(recipe.aif)),
  tasks: {},
  check,
  trl: {
    config: 'DPOConfig',
    fields: async () =>
      Object.keys((await import('../../../configs/schema/trl-dpo.json', { with: { type: 'json' } })).default.fields),
  },
  rehearsal: ddpoRehearsal,
} satisfies StageBody;

/** LD-DPO weighs the tokens of an answer, and a cached reference knows their sum alone. */
function check({ ddpo: { train } }: DdpoRecipe): readonly Mistake[] {
  if (train.reference !== 'cached' || train.trl.ld_alpha == null) return [];
  const message = '"ddpo.train.trl.ld_alpha" weighs the tokens of an answer, expected it with ddpo.train.reference: online';
  return [{ path: ['ddpo', 'train', 'trl', 'ld_alpha'], part: 'key', message }];
}

/** The split that stage aif publishes beside its training split; published pairs may have none. */
function heldOut(aif: AifSpec): string | null {
  return aif.source === 'pairs' && aif.test === null ? null : 'test_prefs';
}
