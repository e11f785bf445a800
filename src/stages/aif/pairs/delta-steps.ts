import { taskStep } from '../../programs.ts';
import { datasetRepo, type RecipeContext } from '../../recipe-context.ts';
import type { Step } from '../../stage.ts';
import type { MemberSpec } from '../answers/spec.ts';
import { type AnswersPlan, memberIds } from '../answers/steps.ts';
import type { AifDelta } from '../spec.ts';
import type { DeltaConfig } from './delta.ts';

/** Both answer every prompt, under no principle. */
export function deltaAnswers({ prompts, strong, weak, answer }: AifDelta): AnswersPlan {
  const always = (member: MemberSpec) => ({ ...member, weight: 1, share: 1 });
  return { prompts, pool: [strong, weak].map(always), answersPerPrompt: 2, principles: [], answer };
}

export function deltaStep(recipe: RecipeContext, spec: AifDelta): Step {
  const [strong = '', weak = ''] = memberIds([spec.strong, spec.weak]);
  const config: DeltaConfig = { version: 1, seed: recipe.seed, strong, weak, test_prompts: spec.testPrompts };
  return taskStep('delta', {
    stage: 'aif',
    name: 'binarize',
    summary: `${strong} over ${weak}`,
    inputs: { prompts: { from: 'step', step: 'prompts' }, completions: { from: 'step', step: 'generate' } },
    config,
    output: datasetRepo(recipe, 'aif'),
  });
}
