/** Sizes of a rehearsal's own world: the practice data and a tiny base model. Never in a user's recipe. */
export interface SetupSpec {
  readonly world: {
    /** rows of `train_sft` and `test_sft`, dialogues with `prompt_id`, `prompt` and `messages` */
    readonly dialogues: number;
    readonly testDialogues: number;
    /** rows of `train_gen`: prompts for answers */
    readonly prompts: number;
    /** rows of `train_prefs` and `test_prefs` */
    readonly pairs: number;
    readonly testPairs: number;
    /** prompts of `train` in the layout of openbmb/UltraFeedback, with rated answers */
    readonly ratings: number;
    /** held-out prompts with their solutions, `prompts.jsonl` in the root: what the exam asks */
    readonly examPrompts: number;
  };
  readonly architecture: {
    /** as in the `config.json` of a transformers model */
    readonly modelType: 'mistral';
    readonly hidden: number;
    readonly layers: number;
    readonly heads: number;
    readonly kvHeads: number;
    readonly intermediate: number;
    /** tokens */
    readonly maxLength: number;
  };
  /** tokens of the tokenizer that is trained on the practice data */
  readonly vocab: number;
}
