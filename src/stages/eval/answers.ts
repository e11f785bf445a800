import { jobStep } from '../programs.ts';
import { renderingOf } from '../recipe-context.ts';
import type { Step, StepInput } from '../stage.ts';
import type { PartContext } from './part.ts';

/** Of a prompt that does not fit the model's context, see generate.py. */
export const TOO_LONG = 'too_long';

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
  /** of prompts that bring none of their own; 0: the likeliest token each time */
  readonly temperature: number;
  /** A prompt that leaves no room for an answer: an error unless it is to be marked. */
  readonly tooLong?: 'mark';
}

/**
 * A step in which the model answers prompts: `completions.jsonl`, rendered as the model was trained. A prompt that is longer than
 * the model's context is never cut: it ends the step, or gets an empty answer with the `finish_reason` `TOO_LONG`.
 */
export function answersStep({ recipe, model, engine, batchSize, repo }: PartContext, asked: AnswersAsked): Step {
  const { name, summary, prompts, file, maxTokens, temperature, tooLong } = asked;
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
      ...(tooLong === undefined ? {} : { too_long: tooLong }),
    },
    output: repo(name),
    saveSteps: 50,
  });
}
