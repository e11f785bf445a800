import * as z from 'zod';
import { type Stage, userStages } from '../stages/module.ts';
import { modelText, type RecipeContext } from '../stages/recipe-context.ts';
import { teacherSpec } from '../teachers/spec.ts';

const part = (what: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9](?:[A-Za-z0-9_.]|-(?!-))*$/, `expected ${what}: letters, digits, "-", "_" and ".", without "--"`)
    .max(40);

const common = {
  $schema: z.string().optional().describe('JSON Schema for editors; ignored'),
  name: part('a name'),
  namespace: part('a namespace').default('local').describe('User or organisation on the Hub that owns the repos'),
  seed: z.int().nonnegative().default(42).describe('Seed of every draw: mixing, splits, pools, training; alignment-handbook: 42'),
  base: modelText.describe('Base model; Zephyr: hf://models/mistralai/Mistral-7B-v0.1'),
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
  bos: z
    .enum(['keep', 'none'])
    .default('keep')
    .describe(
      'What begins a dialogue and a prompt, in training and in the published chat template: `keep` what the tokenizer of the base puts before a text, as v0.3 did (<s> for Mistral), `none` nothing',
    ),
  teachers: z
    .record(z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'expected an id of lower-case letters, digits and "-"'), teacherSpec)
    .default({})
    .describe('Who is called over an API, by the id that stages use'),
};

/** A recipe with every default filled in, as a run records it; see `StageBody.spec` for its sections. */
export type Recipe = RecipeContext;

/** What a recipe file may say: what all stages share, and a section for each. Never in it: a number of GPUs, a backend, a key. */
export function recipeSpec(stages: readonly Stage[]): z.ZodType<Recipe> {
  const listed = userStages(stages);
  const name = common.name.describe(
    `Prefix of every repo that the recipe publishes: NAMESPACE/NAME-${listed[0]?.name} and so on`,
  );
  const sections = Object.fromEntries(listed.map(({ name: key, spec }) => [key, spec]));
  return z
    .strictObject({ ...common, name, ...sections })
    .describe('From a base model to an aligned chat model in three stages') as unknown as z.ZodType<Recipe>;
}

/** A recipe as a run has it: a rehearsal adds sections of its own. */
export function fullRecipe(stages: readonly Stage[]): z.ZodType<Recipe> {
  const sections = stages.map(
    ({ name, spec, rehearsalOnly }) => [name, rehearsalOnly === true ? spec.optional() : spec] as const,
  );
  return z.strictObject({ ...common, ...Object.fromEntries(sections) }) as unknown as z.ZodType<Recipe>;
}
