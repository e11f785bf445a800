import * as z from 'zod';

const rows = z.int().nonnegative();

/** Sizes of a rehearsal's synthetic data and of its tiny base model. Never in a user's recipe. */
export const setupSpec = z.strictObject({
  world: z.strictObject({
    dialogues: rows.describe('Rows of train_sft: dialogues with prompt_id, prompt and messages'),
    testDialogues: rows.describe('Rows of test_sft'),
    prompts: rows.describe('Rows of train_gen: prompts for answers'),
    pairs: rows.describe('Rows of train_prefs: pairs as ultrafeedback_binarized has them'),
    testPairs: rows.describe('Rows of test_prefs'),
    ratings: rows.describe('Rows of train: rated answers as openbmb/UltraFeedback has them'),
    examPrompts: rows.describe('Held-out prompts, prompts.jsonl in the root: what the exam asks'),
  }),
  architecture: z
    .strictObject({
      modelType: z.literal('mistral'),
      hidden: z.int().positive(),
      layers: z.int().positive(),
      heads: z.int().positive(),
      kvHeads: z.int().positive(),
      intermediate: z.int().positive(),
      maxLength: z.int().positive().describe('Tokens'),
    })
    .describe('As in the config.json of a transformers model'),
  vocab: z.int().positive().describe('Tokens of the tokenizer that is trained on the practice data'),
});

export type SetupSpec = z.infer<typeof setupSpec>;
