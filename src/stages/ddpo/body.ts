import type { AifSpec } from '../aif/spec.ts';
import { type Mistake, mistakeAt } from '../mistake.ts';
import type { StageBody } from '../module.ts';
import type { FinishedTraining } from '../training-checks.ts';
import { ddpoRehearsal } from './rehearse.ts';
import { rlSpec } from './rl-spec.ts';
import { type DdpoRecipe, type DdpoSpec, ddpoSpec } from './spec.ts';
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
  accept: async (training: FinishedTraining) => (await import('./acceptance.ts')).acceptDpo(training),
} satisfies StageBody;

function check({ ddpo }: DdpoRecipe): readonly (Mistake | undefined)[] {
  return [...checkLoss(ddpo), ...checkMethod(ddpo)];
}

/** A section that nothing reads would mislead; and of the tokens of a row, some must be left for the prompt. */
function checkMethod({ method, prepare, reward, rl }: DdpoSpec): readonly (Mistake | undefined)[] {
  const unread = (name: 'reward' | 'rl'): Mistake => ({
    path: ['ddpo', name],
    part: 'key',
    message: `"ddpo.${name}" is read by the methods rloo and ppo, expected it to be left out with ddpo.method: ${method}`,
  });
  if (method === 'dpo') return [reward && unread('reward'), rl && unread('rl')];
  const { maxNewTokens } = rl ?? rlSpec.parse({});
  if (maxNewTokens < prepare.maxLength) return [];
  const message = `expected fewer than ddpo.prepare.maxLength, ${prepare.maxLength} tokens of prompt and answer, got ${maxNewTokens}`;
  return [mistakeAt(['ddpo', 'rl', 'maxNewTokens'], message)];
}

/** LD-DPO weighs the tokens of an answer, and a cached reference knows their sum alone. */
function checkLoss({ train }: DdpoSpec): readonly Mistake[] {
  if (train.reference !== 'cached' || train.trl.ld_alpha == null) return [];
  const message = '"ddpo.train.trl.ld_alpha" weighs the tokens of an answer, expected it with ddpo.train.reference: online';
  return [{ path: ['ddpo', 'train', 'trl', 'ld_alpha'], part: 'key', message }];
}

/** What stage aif publishes: its held-out split, which published pairs may not have, and how many pairs, where the recipe says it. */
function pairsOf(aif: AifSpec): KnownPairs {
  if (aif.source !== 'pairs') return { test: 'test_prefs', count: undefined };
  return { test: aif.test === null ? null : 'test_prefs', count: aif.rows?.[aif.train] };
}
