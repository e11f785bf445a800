import { join } from 'node:path';
import * as z from 'zod';
import { counter } from '../../../base/counter.ts';
import { listedPrompts, normalise } from '../../../datasets/listed.ts';
import { writeParquet } from '../../../datasets/parquet.ts';
import { readSplit } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { COMPLETION_COLUMNS, COMPLETIONS_FILE, RATING_COLUMNS, RATINGS_FILE } from '../tables.ts';
import { publishPairs } from './publish-pairs.ts';
import type { RatedPrompt } from './rated-prompts.ts';
import { binarizeRule } from './rule.ts';
import { type Rated, readUltraFeedback } from './ultrafeedback.ts';

const config = binarizeRule.extend({
  split: z.string(),
  drop_sources: z.array(z.string()),
  licence: z.string().nullable(),
});

/**
 * Published ratings (rows as openbmb/UltraFeedback has them) into pairs under a rule of one's own. Where the overall score
 * contradicts the aspects, as it did for thousands of worst answers marked 10, the answers are counted and listed.
 */
export const rebinarize: Task = async (context) => {
  const { split, drop_sources, licence, ...rule } = config.parse(context.config);
  const folder = inputFolder(context, 'ratings');
  const listed = await listedPrompts(context.inputs.decontaminate);
  const drops = counter();
  let isFirst = true;
  const sources = new Set<string>();

  async function* kept(): AsyncGenerator<Rated> {
    const drop = isFirst ? drops.add : () => {};
    isFirst = false;
    const seen = new Set<string>();
    let number = 0;
    for await (const row of readSplit(folder, split)) {
      number += 1;
      const rated = readUltraFeedback(row);
      if (rated === undefined)
        throw new ZephyrError(
          `Cannot read row ${number} of the ratings: expected the columns of openbmb/UltraFeedback (instruction, completions with model, response, annotations)`,
        );
      if (drop_sources.includes(rated.source)) drop(`source ${rated.source}`);
      else if (listed.has(normalise(rated.prompt))) drop('in a benchmark');
      else if (seen.has(rated.prompt_id)) drop('duplicate');
      else {
        seen.add(rated.prompt_id);
        sources.add(rated.source);
        yield rated;
      }
    }
  }
  async function* prompts(): AsyncGenerator<RatedPrompt> {
    for await (const { ratings, source, ...rated } of kept())
      yield { ...rated, source, safety: false, ratings: Map.groupBy(ratings, ({ completion_id }) => completion_id) };
  }
  async function* completions() {
    for await (const rated of kept()) yield* rated.completions;
  }
  async function* ratings() {
    for await (const rated of kept()) yield* rated.ratings;
  }

  await writeParquet(join(context.out, COMPLETIONS_FILE), COMPLETION_COLUMNS, completions());
  await writeParquet(join(context.out, RATINGS_FILE), { ...RATING_COLUMNS, rating: 'double' }, ratings());
  return publishPairs(context, rule, {
    rated: prompts,
    answered: prompts,
    dropped: drops.counts,
    origin: {
      sources: [...sources].map((source) => ({ source, licence, safety: false })),
      contamination: null,
      judge: null,
      inputs: {},
    },
    paid: {},
  });
};
