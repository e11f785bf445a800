import { readManifest } from '../../hub/read-ref.ts';
import { checkBudget } from '../check-teachers.ts';
import type { Mistake } from '../mistake.ts';
import type { Count, CountSource, StageBody } from '../module.ts';
import { checkAnswers } from './answers/check.ts';
import { checkJudge } from './judge/check.ts';
import { countPairs } from './judge/count-pairs.ts';
import { checkPairs } from './pairs/check.ts';
import { promptTexts } from './prompts/texts.ts';
import { aifRehearsal } from './rehearse.ts';
import { type AifRecipe, type AifSpec, aifSpec } from './spec.ts';
import { aifSteps } from './steps.ts';

export const body = {
  spec: aifSpec,
  steps: (recipe: AifRecipe) => aifSteps(recipe, recipe.aif),
  tasks: {
    prompts: async (context) => (await import('./prompts/prompts.ts')).prompts(context),
    draw: async (context) => (await import('./answers/assign.ts')).assign(context),
    generate: async (context) => (await import('./answers/generate.ts')).generate(context),
    judge: async (context) => (await import('./judge/judge.ts')).judge(context),
    delta: async (context) => (await import('./pairs/delta.ts')).delta(context),
    binarize: async (context) => (await import('./pairs/binarize.ts')).binarize(context),
    rebinarize: async (context) => (await import('./pairs/rebinarize.ts')).rebinarize(context),
    'pass-pairs': async (context) => (await import('./pairs/pass-pairs.ts')).passPairs(context),
  },
  check,
  texts: promptTexts,
  budget: ['budgetUsd'],
  counts: { prompts: countPrompts, pairs: countPairs },
  rehearsal: aifRehearsal,
} satisfies StageBody;

function check(recipe: AifRecipe): (Mistake | undefined)[] {
  const { aif, ddpo } = recipe;
  const pairs = checkPairs(aif, ddpo.prepare);
  if (aif.source !== 'teachers' && aif.source !== 'delta') return pairs;
  return [
    ...checkAnswers(recipe, aif),
    ...(aif.source === 'teachers' ? checkJudge(recipe, aif) : []),
    ...pairs,
    ...checkBudget(recipe, { path: ['aif', 'budgetUsd'], budgetUsd: aif.budgetUsd, asked: askedBy(aif) }),
  ];
}

function askedBy(aif: Extract<AifSpec, { source: 'teachers' | 'delta' }>): string[] {
  if (aif.source === 'delta') return [aif.strong, aif.weak].flatMap(({ teacher }) => teacher ?? []);
  const { judge } = aif;
  const judges = judge.by === 'teachers' ? [...judge.teachers, ...(judge.fallback === undefined ? [] : [judge.fallback])] : [];
  return [...aif.pool.flatMap(({ teacher }) => teacher ?? []), ...judges];
}

/** How many prompts feedback will be bought for, where an earlier run has read them. */
async function countPrompts({ hub, made }: CountSource): Promise<Count> {
  const artifact = made('prompts');
  const kept = artifact === undefined ? undefined : (await readManifest(hub, artifact.ref))?.metrics.prompts;
  return { count: typeof kept === 'number' ? kept : null };
}
