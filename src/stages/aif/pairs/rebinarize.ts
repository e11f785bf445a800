import { join } from 'node:path';
import * as z from 'zod';
import { counter } from '../../../base/counter.ts';
import { Dropped } from '../../../datasets/dropped.ts';
import { listedPrompts, normalise } from '../../../datasets/listed.ts';
import { writeParquet } from '../../../datasets/parquet.ts';
import { columnsOf, openSplit, placedRows } from '../../../datasets/rows.ts';
import { MAX_DROPPED } from '../../data-spec.ts';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { COMPLETION_COLUMNS, COMPLETIONS_FILE, RATING_COLUMNS, RATINGS_FILE } from '../tables.ts';
import { publishPairs } from './publish-pairs.ts';
import type { RatedPrompt } from './rated-prompts.ts';
import { binarizeRule } from './rule.ts';
import { type Rated, readUltraFeedback } from './ultrafeedback.ts';

const config = binarizeRule.extend({
  config: z.string().optional(),
  split: z.string(),
  max_dropped: z.number().default(MAX_DROPPED),
  drop_sources: z.array(z.string()),
  licence: z.string().nullable(),
});

const UF_COLUMNS = ['source', 'instruction', 'completions'] as const;
const RATINGS = {
  what: 'the ratings',
  expected: 'the columns of openbmb/UltraFeedback (instruction, completions with model, response, annotations)',
  key: 'aif.maxDropped',
};

/**
 * Published ratings (rows as openbmb/UltraFeedback has them) into pairs under a rule of one's own. Where the overall score
 * contradicts the aspects, as it did for thousands of worst answers marked 10, the answers are counted and listed.
 */
export const rebinarize: Task = async (context) => {
  const { config: name, split, max_dropped, drop_sources, licence, ...rule } = config.parse(context.config);
  const folder = inputFolder(context, 'ratings');
  const files = await openSplit(folder, { config: name, split });
  const listed = await listedPrompts(context.inputs.decontaminate);
  const drops = counter();
  const unusable = new Dropped();
  let isFirst = true;
  const sources = new Set<string>();

  async function* kept(): AsyncGenerator<Rated> {
    const isCounted = isFirst;
    const drop = isCounted ? drops.add : () => {};
    isFirst = false;
    const seen = new Set<string>();
    for await (const { at, row } of placedRows(files, { columns: UF_COLUMNS })) {
      const rated = row === undefined ? undefined : readUltraFeedback(row);
      if (rated === undefined) {
        const reason = row === undefined ? 'no JSON object' : 'other columns';
        if (isCounted) unusable.drop(reason, at);
        drop(reason);
        continue;
      }
      if (isCounted) unusable.keep();
      if (drop_sources.includes(rated.source)) drop(`source ${rated.source}`);
      else if (listed.has(normalise(rated.prompt))) drop('in a benchmark');
      else if (seen.has(rated.prompt_id)) drop('duplicate');
      else {
        seen.add(rated.prompt_id);
        sources.add(rated.source);
        yield rated;
      }
    }
    // before anything is made of a part of them
    const columns = isCounted && unusable.isAll ? await columnsOf(files) : [];
    if (isCounted) unusable.refuseAbove(max_dropped, { ...RATINGS, columns });
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
  const note = unusable.note('the ratings');
  if (note !== undefined) context.note(note);
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
