import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Json } from '../../../base/canonical-json.ts';
import { counter } from '../../../base/counter.ts';
import { datasetCard } from '../../../datasets/card.ts';
import { writeParquet } from '../../../datasets/parquet.ts';
import type { Rating } from '../../../judging/rating.ts';
import { JudgeStatistics } from '../../../judging/statistics.ts';
import { injectionsIn } from '../../../judging/text-marks.ts';
import { byPrompt, type Completion, RATING_COLUMNS, RATINGS_FILE } from '../tables.ts';

interface RatingsSource {
  /** for the card */
  readonly about: string;
  /** the rows of one prompt; `injected`: ids of its answers that speak to the judge */
  readonly rowsOf: (answers: readonly Completion[], injected: ReadonlySet<string>) => Promise<readonly Rating[]>;
  /** what is known for the report once all are written */
  readonly more: () => Record<string, Json>;
}

/**
 * Writes the ratings of all completions in the file at `path`, what they say of their judges (`report.json`) and the card.
 * Returns the report.
 */
export async function writeRatings(
  out: string,
  path: string,
  { about, rowsOf, more }: RatingsSource,
): Promise<Record<string, Json>> {
  const statistics = new JudgeStatistics();
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
