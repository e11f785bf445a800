import { jobStep, taskStep } from '../programs.ts';
import { datasetRepo, inputOf, type RecipeContext, renderingOf } from '../recipe-context.ts';
import type { Step } from '../stage.ts';
import { MODELS } from './report.ts';
import type { ExamSpec } from './spec.ts';

/** Task `score`: reads the inputs `world`, `base`, `dsft` and `ddpo` (answers), checks each answer against its solution. */
export type ScoreConfig = { readonly version: 1; readonly seed: number; readonly bootstrap: number; readonly method?: string };

/** answers-base, answers-dsft, answers-ddpo -> score. `method`: how the last model was made. */
export function examSteps(recipe: RecipeContext, spec: ExamSpec, method = 'dpo'): Step[] {
  const world = inputOf('setup/world');
  const inputs = { base: inputOf(recipe.base), dsft: inputOf('dsft'), ddpo: inputOf('ddpo') };
  const answers = MODELS.map((model) =>
    jobStep('generate', {
      stage: 'exam',
      name: `answers-${model}`,
      summary: `${model} answers the held-out prompts`,
      inputs: { model: inputs[model], prompts: world },
      config: {
        ...renderingOf(recipe),
        max_new_tokens: spec.maxTokens,
        temperature: spec.temperature,
        top_p: 1,
        samples: 1,
        batch_size: spec.batchSize,
        seed: recipe.seed,
        engine: 'transformers',
      },
      output: datasetRepo(recipe, `answers-${model}`),
      saveSteps: 50,
    }),
  );
  const config: ScoreConfig = {
    version: 1,
    seed: recipe.seed,
    bootstrap: spec.bootstrap,
    ...(method === 'dpo' ? {} : { method }),
  };
  const score = taskStep('score', {
    stage: 'exam',
    name: 'score',
    summary: 'mean score and win rate with confidence intervals',
    inputs: {
      world,
      base: { from: 'step', step: 'answers-base' },
      dsft: { from: 'step', step: 'answers-dsft' },
      ddpo: { from: 'step', step: 'answers-ddpo' },
    },
    config,
    output: datasetRepo(recipe, 'exam'),
  });
  return [...answers, score];
}
