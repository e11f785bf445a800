import type { DdpoSpec } from '../ddpo/spec.ts';
import type { StageBody } from '../module.ts';
import type { RecipeContext } from '../recipe-context.ts';
import { SIZES } from '../rehearsal-sizes.ts';
import { evaluationTable } from './report.ts';
import { type ExamSpec, examSpec } from './spec.ts';
import { examSteps } from './steps.ts';

type ExamRecipe = RecipeContext & { readonly exam: ExamSpec; readonly ddpo?: Pick<DdpoSpec, 'method'> };

const section: ExamSpec = {
  maxTokens: SIZES.answerTokens,
  batchSize: SIZES.batchSize,
  temperature: 1,
  bootstrap: SIZES.bootstrap,
};

export const body = {
  spec: examSpec,
  steps: (recipe: ExamRecipe) => examSteps(recipe, recipe.exam, recipe.ddpo?.method),
  tasks: { score: async (context) => (await import('./score.ts')).score(context) },
  rehearsal: {
    rehearse: () => ({ section }),
    reasons: { '': 'asks all three models held-out prompts' },
    inWords: { '': ({ maxTokens }: ExamSpec) => `answers of at most ${maxTokens} tokens` },
  },
  table: evaluationTable,
} satisfies StageBody;
