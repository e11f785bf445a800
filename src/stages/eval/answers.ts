import { jobStep } from '../programs.ts';
import { renderingOf } from '../recipe-context.ts';
import type { Step, StepInput } from '../stage.ts';
import type { PartContext } from './part.ts';

/** How the model is asked. */
export interface AnswersAsked {
  /** the step, and the end of its repo's name */
  readonly name: string;
  readonly summary: string;
  readonly prompts: StepInput;
  /** in the input `prompts`; without it prompts.jsonl or prompts.parquet */
  readonly file?: string;
  /** tokens of one answer at most */
  readonly maxTokens: number;
  /** 0: the likeliest token each time */
  readonly temperature: number;
}

/** A step in which the model answers prompts: `completions.jsonl`, rendered as the model was trained. */
export function answersStep({ recipe, model, engine, batchSize, repo }: PartContext, asked: AnswersAsked): Step {
  const { name, summary, prompts, file, maxTokens, temperature } = asked;
  return jobStep('generate', {
    stage: 'eval',
    name,
    summary,
    inputs: { model, prompts },
    config: {
      ...renderingOf(recipe),
      ...(file === undefined ? {} : { prompts_file: file }),
      max_new_tokens: maxTokens,
      temperature,
      top_p: 1,
      samples: 1,
      batch_size: batchSize,
      seed: recipe.seed,
      engine,
    },
    output: repo(name),
    saveSteps: 50,
  });
}
