import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Json } from '../../../base/canonical-json.ts';
import { counter } from '../../../base/counter.ts';
import { datasetCard } from '../../../datasets/dataset-card.ts';
import { writeParquet } from '../../../datasets/parquet.ts';
import { injectionsIn } from '../../../judging/injection.ts';
import type { Rating } from '../../../judging/rating.ts';
import { judgeStatistics } from '../../../judging/statistics.ts';
import { byPrompt, type Completion, RATING_COLUMNS, RATINGS_FILE } from '../tables.ts';

/**
 * Writes the ratings of all completions in the file at `path`, what they say of their judges (`report.json`) and the card.
 * `rowsOf` gives the rows of one prompt, `more` what is known once all are written. Returns the report.
 */
export async function writeRatings(
  out: string,
  path: string,
  about: string,
  rowsOf: (answers: readonly Completion[], injected: ReadonlySet<string>) => Promise<readonly Rating[]>,
  more: () => Record<string, Json>,
): Promise<Record<string, Json>> {
  const statistics = judgeStatistics();
  const injections = counter();
  let answered = 0;
  let injectedAnswers = 0;

  async function* ratings(): AsyncGenerator<Rating> {
    for await (const answers of byPrompt<Completion>(path)) {
      const injected = new Set<string>();
      for (const { completion_id, text } of answers) {
        const rules = injectionsIn(text);
        for (const rule of rules) injections.add(rule);
        if (rules.length > 0) injected.add(completion_id);
      }
      answered += answers.length;
      injectedAnswers += injected.size;
      const rows = await rowsOf(answers, injected);
      statistics.add(answers, rows);
      yield* rows;
    }
  }
  const rows = await writeParquet(join(out, RATINGS_FILE), RATING_COLUMNS, ratings());
  const report = {
    ratings: rows,
    answers: answered,
    ...statistics.report(),
    injections: { answers: injectedAnswers, by_rule: injections.counts() },
    ...more(),
  };
  await writeFile(join(out, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  await writeFile(join(out, 'README.md'), datasetCard('Ratings', about, { default: { train: RATINGS_FILE } }));
  return report;
}
