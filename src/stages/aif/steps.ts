import type { Setting } from '../setting.ts';
import type { Step } from '../stage.ts';
import { answerSteps, generateStep } from './answers/steps.ts';
import { promptsStep } from './intake/step.ts';
import { judgeSteps } from './judging/step.ts';
import { binarizeStep, passPairsStep, rebinarizeStep } from './pairs/steps.ts';
import type { AifSpec } from './spec.ts';

/** prompts -> answers-N (model artifacts of the pool) -> generate -> judge -> binarize; published feedback needs one step. */
export function aifSteps(setting: Setting, spec: AifSpec): Step[] {
  switch (spec.source) {
    case 'teachers':
      return [
        promptsStep(setting, spec.prompts),
        ...answerSteps(setting, spec),
        generateStep(setting, spec),
        ...judgeSteps(setting, spec),
        binarizeStep(setting, spec),
      ];
    case 'ratings':
      return [rebinarizeStep(setting, spec)];
    case 'pairs':
      return [passPairsStep(setting, spec)];
  }
}
