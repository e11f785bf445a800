import * as z from 'zod';
import { budgetUsd, maxUnanswered } from '../data-spec.ts';
import { type RecipeContext, sourceText } from '../recipe-context.ts';
import type { EvalPart } from './part.ts';
import { PARTS } from './parts.ts';
import { SUITE_NAMES, SUITES } from './suites.ts';

const partSections = Object.fromEntries(
  PARTS.map(({ name, settings }) => [name, settings.partial().optional().describe(`In place of what the suite says of ${name}`)]),
);

export const evalSpec = z
  .strictObject({
    suite: z
      .enum(SUITE_NAMES)
      .default('smoke')
      .describe('Benchmarks; smoke: seconds on a CPU, without a judge. paper: those of ZEPHYR-7B. modern: those asked for since'),
    model: sourceText('model', ['ddpo', 'dsft', 'base', 'setup/base'])
      .default('ddpo')
      .describe('What is evaluated: what a stage of this recipe made, its base model, or a model on the Hub'),
    parts: z
      .array(z.enum(PARTS.map(({ name }) => name)))
      .min(1)
      .optional()
      .describe('Parts to run, of whatever suite; without it those of the suite'),
    judges: z
      .array(z.string())
      .default([])
      .describe("Teachers who judge, by their ids; the first one's verdicts are the value, the others show how far judges agree"),
    judgeRepeats: z
      .int()
      .positive()
      .default(1)
      .describe('Times that each judge is asked the same, to show how far it agrees with itself'),
    engine: z
      .enum(['transformers', 'vllm'])
      .default('transformers')
      .describe('What answers prompts; vllm needs an image that has it'),
    batchSize: z.int().positive().default(16).describe('Prompts answered at once, or texts scored at once'),
    budgetUsd: budgetUsd.describe('Dollars that the judges of one evaluation may cost at most; every judge then needs a price'),
    maxUnanswered,
    ...partSections,
  })
  .describe('Evaluation of a finished model');

export type EvalSpec = Readonly<z.infer<typeof evalSpec>>;

/** A recipe as far as the stage reads it. */
export type EvalRecipe = RecipeContext & { readonly eval: EvalSpec };

/** A part that is to run, with all that it is set to. */
export interface ChosenPart {
  readonly part: EvalPart<unknown>;
  readonly settings: unknown;
}

/** The parts of an evaluation in the order in which they run: settings of the recipe over those of the suite over the part's own. */
export function chosenParts(spec: EvalSpec): ChosenPart[] {
  const suite = SUITES[spec.suite];
  const names: readonly string[] = spec.parts ?? suite.map(({ part }) => part.name);
  return PARTS.filter(({ name }) => names.includes(name)).map((part) => {
    const ofSuite = suite.find((one) => one.part === part)?.settings;
    const ofRecipe = (spec as Readonly<Record<string, unknown>>)[part.name];
    return { part, settings: { ...(part.defaults as object), ...ofSuite, ...(ofRecipe as object | undefined) } };
  });
}
