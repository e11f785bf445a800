import type { StageBody } from '../module.ts';
import type { RecipeContext } from '../recipe-context.ts';
import { SIZES } from '../rehearsal-sizes.ts';
import { evaluationTable } from './report.ts';
import { type ExamSpec, examSpec } from './spec.ts';
import { examSteps } from './steps.ts';

const section: ExamSpec = {
  maxTokens: SIZES.answerTokens,
  batchSize: SIZES.batchSize,
  temperature: 1,
  bootstrap: SIZES.bootstrap,
};

export const body = {
  spec: examSpec,
  steps: (recipe: RecipeContext & { readonly exam: ExamSpec }) => examSteps(recipe, recipe.exam),
  tasks: { score: async (context) => (await import('./score.ts')).score(context) },
  rehearsal: {
    rehearse: () => ({ section }),
    reasons: { '': 'asks all three models held-out prompts' },
    inWords: { '': ({ maxTokens }: ExamSpec) => `answers of at most ${maxTokens} tokens` },
  },
  table: evaluationTable,
} satisfies StageBody;
