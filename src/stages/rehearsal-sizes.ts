/** Every number of a rehearsal: large enough that the three models differ beyond noise, small enough for a laptop. */
export const SIZES = {
  vocab: 1024,
  hidden: 128,
  layers: 2,
  heads: 8,
  kvHeads: 4,
  intermediate: 512,
  /** tokens of prompt and answer */
  maxLength: 256,
  maxPromptLength: 160,

  sftDialogues: 1500,
  sftTestDialogues: 60,
  /** question and answer rounds of a dialogue */
  turns: { min: 1, max: 2 },
  sftEpochs: 8,
  sftBatch: 4,
  sftLearningRate: 6e-3,

  prompts: 500,
  testPrompts: 40,
  answersPerPrompt: 4,
  /** tokens of one answer at most */
  answerTokens: 48,

  dpoEpochs: 2,
  dpoBatch: 16,
  dpoLearningRate: 3e-4,
  beta: 0.3,

  /** A reward model and what learns from it: enough to see both work. */
  rl: { learningRate: 3e-4, rewardSteps: 60, rlLearningRate: 1e-4, rlSteps: 24, batch: 16, generations: 4 },

  /** A random base knows no words yet: without an adapter on them as well, none is learned in the time. */
  lora: { r: 64, alpha: 128, moreTargets: ['embed_tokens', 'lm_head'], sftLearningRate: 2e-3, dpoLearningRate: 3e-4 },
  /** optimizer steps between checkpoints */
  saveSteps: 500,

  examPrompts: 240,
  /** prompts a model answers at once */
  batchSize: 64,
  bootstrap: 10_000,
} as const;
