/** Every number of a rehearsal: large enough that the three models differ beyond noise, small enough for a laptop. */
export const SIZES = {
  vocab: 1024,
  hidden: 128,
  layers: 3,
  heads: 4,
  kvHeads: 2,
  intermediate: 384,
  /** tokens of prompt and answer */
  maxLength: 256,
  maxPromptLength: 160,

  sftDialogues: 2000,
  sftTestDialogues: 100,
  /** question and answer rounds of a dialogue */
  turns: { min: 1, max: 2 },
  sftEpochs: 4,
  sftBatch: 32,
  sftLearningRate: 2e-3,

  prompts: 400,
  testPrompts: 40,
  answersPerPrompt: 4,
  /** tokens of one answer at most */
  answerTokens: 64,

  dpoEpochs: 2,
  dpoBatch: 32,
  dpoLearningRate: 1e-4,
  beta: 0.1,

  lora: { r: 16, alpha: 32 },
  /** optimizer steps between checkpoints */
  saveSteps: 50,

  examPrompts: 200,
  /** prompts a model answers at once */
  batchSize: 32,
  bootstrap: 2000,
} as const;
