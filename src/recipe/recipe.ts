import * as z from 'zod';
import { aifSpec } from '../stages/aif/spec.ts';
import { ddpoSpec } from '../stages/ddpo/spec.ts';
import { dsftSpec } from '../stages/dsft/spec.ts';
import { examSpec } from '../stages/exam/spec.ts';
import { sourceText } from '../stages/recipe-context.ts';
import { setupSpec } from '../stages/setup/spec.ts';
import { teacherSpec } from '../teachers/spec.ts';

const part = (what: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9](?:[A-Za-z0-9_.]|-(?!-))*$/, `expected ${what}: letters, digits, "-", "_" and ".", without "--"`)
    .max(40);

/** What a recipe file may say. Never in it: a number of GPUs, a backend, a key. */
export const recipeSpec = z
  .strictObject({
    $schema: z.string().optional().describe('JSON Schema for editors; ignored'),
    name: part('a name').describe('Prefix of every repo that the recipe publishes: NAMESPACE/NAME-dsft and so on'),
    namespace: part('a namespace').default('local').describe('User or organisation on the Hub that owns the repos'),
    seed: z
      .int()
      .nonnegative()
      .default(42)
      .describe('Seed of every draw: mixing, splits, pools, training; alignment-handbook: 42'),
    base: sourceText('model', ['setup/base']).describe('Base model; Zephyr: hf://models/mistralai/Mistral-7B-v0.1'),
    template: z
      .literal('zephyr')
      .default('zephyr')
      .describe('Chat template of every stage: <|system|>, <|user|> and <|assistant|> turns that end in eos'),
    system: z
      .enum(['empty', 'none'])
      .default('empty')
      .describe(
        'System turn of dialogues and prompts without one, in training and in answers: `empty` inserts an empty one as v0.3 did, `none` leaves it out',
      ),
    teachers: z
      .record(z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'expected an id of lower-case letters, digits and "-"'), teacherSpec)
      .default({})
      .describe('Who is called over an API, by the id that stages use'),
    dsft: dsftSpec,
    aif: aifSpec,
    ddpo: ddpoSpec,
  })
  .describe('From a base model to an aligned chat model in three stages');

/** A recipe with every default filled in, as a run records it; a rehearsal adds `setup` and `exam`. */
export const fullRecipe = recipeSpec.extend({ setup: setupSpec.optional(), exam: examSpec.optional() });
export type Recipe = z.infer<typeof fullRecipe>;
