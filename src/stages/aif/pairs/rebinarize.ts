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
import { type RatedRow, readUltraFeedback } from './ultrafeedback.ts';

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

  /** Each row with what it says, or why it is left out. */
  async function* read(): AsyncGenerator<{ readonly at: string; readonly rated?: RatedRow; readonly reason?: string }> {
    const seen = new Set<string>();
    for await (const { at, row } of placedRows(files, { columns: UF_COLUMNS })) {
      const rated = row === undefined ? undefined : readUltraFeedback(row);
      if (rated === undefined) yield { at, reason: row === undefined ? 'no JSON object' : 'other columns' };
      else if (drop_sources.includes(rated.source)) yield { at, rated, reason: `source ${rated.source}` };
      else if (listed.has(normalise(rated.prompt))) yield { at, rated, reason: 'in a benchmark' };
      else if (seen.has(rated.prompt_id)) yield { at, rated, reason: 'duplicate' };
      else {
        seen.add(rated.prompt_id);
        yield { at, rated };
      }
    }
  }
  /** What is left out is counted in the first walk alone. */
  async function* kept(): AsyncGenerator<RatedRow> {
    const isCounted = isFirst;
    isFirst = false;
    for await (const { at, rated, reason } of read()) {
      if (isCounted && rated === undefined) unusable.drop(reason ?? '', at);
      if (isCounted && rated !== undefined) unusable.keep();
      if (isCounted && reason !== undefined) drops.add(reason);
      if (rated === undefined || reason !== undefined) continue;
      sources.add(rated.source);
      yield rated;
    }
    if (!isCounted) return;
    // refused before anything is made of a part of the rows
    unusable.refuseAbove(max_dropped, { ...RATINGS, columns: unusable.isAll ? await columnsOf(files) : [] });
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
