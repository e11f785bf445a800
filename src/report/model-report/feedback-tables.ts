import * as z from 'zod';

/** The file of counts beside the pairs. */
export const TABLES_FILE = 'report.json';

/** Values or the lower ends of bins, each with its count, ascending. */
const histogram = z.array(z.tuple([z.number(), z.int().nonnegative()]));

const feedbackTables = z.looseObject({
  /** by aspect */
  ratings: z.record(z.string(), histogram),
  margins: z.looseObject({ step: z.number().positive(), mean: z.number().nullable(), histogram }),
  models: z.array(
    z.looseObject({
      model: z.string(),
      answers: z.int(),
      chosen: z.int(),
      rejected: z.int(),
    }),
  ),
});
export type FeedbackTables = z.infer<typeof feedbackTables>;

/** The tables of a dataset of pairs; `undefined` for a file that holds something else. */
export function readFeedbackTables(bytes: Uint8Array | undefined): FeedbackTables | undefined {
  if (bytes === undefined) return undefined;
  try {
    return feedbackTables.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
