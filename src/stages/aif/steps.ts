import type { Step } from '../stage.ts';
import { answersSteps } from './answers/steps.ts';
import { judgeSteps } from './judge/step.ts';
import { binarizeStep, deltaAnswers, deltaStep, passPairsStep, rebinarizeStep } from './pairs/steps.ts';
import { promptsStep } from './prompts/step.ts';
import type { AifDelta, AifRecipe, AifSpec, AifTeachers } from './spec.ts';

/**
 * prompts -> draw -> answers-N (model artifacts of the pool) -> generate -> judge -> binarize; delta learning has no judge,
 * published feedback needs one step.
 */
export function aifSteps(recipe: AifRecipe, spec: AifSpec): Step[] {
  switch (spec.source) {
    case 'teachers':
      return capped(spec, [
        promptsStep(recipe, spec.prompts),
        ...answersSteps(recipe, { ...spec, prefetch: 'judge' }),
        ...judgeSteps(recipe, spec),
        binarizeStep(recipe, spec),
      ]);
    case 'delta':
      return capped(spec, [
        promptsStep(recipe, spec.prompts),
        ...answersSteps(recipe, deltaAnswers(spec)),
        deltaStep(recipe, spec),
      ]);
    case 'ratings':
      return [rebinarizeStep(recipe, spec)];
    case 'pairs':
      return [passPairsStep(recipe, spec)];
  }
}

/** The cap is that of the stage's run: each step that pays counts what all have spent. */
function capped({ budgetUsd, maxUnanswered }: AifTeachers | AifDelta, steps: readonly Step[]): Step[] {
  const bounds = {
    ...(budgetUsd === undefined ? {} : { budgetUsd }),
    ...(maxUnanswered === undefined ? {} : { maxUnanswered }),
  };
  return steps.map((step) => (step.calls === undefined ? step : { ...step, ...bounds }));
}
