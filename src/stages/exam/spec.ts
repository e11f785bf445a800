/** How a rehearsal's three models are asked the held-out prompts. Never in a user's recipe. */
export interface ExamSpec {
  /** tokens of one answer at most */
  readonly maxTokens: number;
  /** prompts answered at once */
  readonly batchSize: number;
  /** 0 is greedy: an exam has no luck in it */
  readonly temperature: number;
  /** resamplings behind a confidence interval */
  readonly bootstrap: number;
}
