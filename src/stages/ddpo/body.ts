import type { AifSpec } from '../aif/spec.ts';
import type { Mistake } from '../mistake.ts';
import type { StageBody } from '../module.ts';
import { ddpoRehearsal } from './rehearse.ts';
import { type DdpoRecipe, ddpoSpec } from './spec.ts';
import { ddpoSteps, type KnownPairs } from './steps.ts';

export const body = {
  spec: ddpoSpec,
  steps: (recipe: DdpoRecipe) => ddpoSteps(recipe, recipe.ddpo, pairsOf(recipe.aif)),
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

/** What stage aif publishes: its held-out split, which published pairs may not have, and how many pairs, where the recipe says it. */
function pairsOf(aif: AifSpec): KnownPairs {
  if (aif.source !== 'pairs') return { test: 'test_prefs', count: undefined };
  return { test: aif.test === null ? null : 'test_prefs', count: aif.rows?.[aif.train] };
}
