import { join } from 'node:path';
import * as z from 'zod';
import { counter } from '../../../base/counter.ts';
import { Dropped } from '../../../datasets/dropped.ts';
import { listedPrompts, normalise } from '../../../datasets/listed.ts';
import { writeParquet } from '../../../datasets/parquet.ts';
import { columnsOf, openSplit, placedRows, type Split } from '../../../datasets/rows.ts';
import { MAX_DROPPED } from '../../data-spec.ts';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { COMPLETION_COLUMNS, COMPLETIONS_FILE, RATING_COLUMNS, RATINGS_FILE } from '../tables.ts';
import { publishPairs } from './publish-pairs.ts';
import type { RatedPrompt } from './rated-prompts.ts';
import { binarizeRule } from './rule.ts';
import { type RatedRow, readUltraFeedback } from './ultrafeedback.ts';

const config = binarizeRule.extend({
  config: z.string().exactOptional(),
  split: z.string(),
  max_dropped: z.number().exactOptional(),
  drop_sources: z.array(z.string()),
  licence: z.string().nullable(),
});

/** Reads the input `ratings` (rows as openbmb/UltraFeedback has them) and, where given, `decontaminate`. */
export type RebinarizeConfig = z.infer<typeof config> & { readonly version: 2 };

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
  const { config: name, split, max_dropped = MAX_DROPPED, drop_sources, licence, ...rule } = config.parse(context.config);
  const folder = inputFolder(context, 'ratings');
  const files = await openSplit(folder, { config: name, split });
  const listed = await listedPrompts(context.inputs.decontaminate);
  const drops = counter();
  const unusable = new Dropped();
  const sources = new Set<string>();
  /** What is left out is counted in the first walk alone. */
  let isFirst = true;

  function count({ at, rated, reason }: ReadRow): void {
    if (rated === undefined) unusable.drop(reason ?? '', at);
    else unusable.keep();
    if (reason !== undefined) drops.add(reason);
    else if (rated !== undefined) sources.add(rated.source);
  }
  async function* kept(): AsyncGenerator<RatedRow> {
    const isCounted = isFirst;
    isFirst = false;
    for await (const row of readRows(files, drop_sources, listed)) {
      if (isCounted) count(row);
      if (row.rated !== undefined && row.reason === undefined) yield row.rated;
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

interface ReadRow {
  readonly at: string;
  readonly rated?: RatedRow;
  /** why it is left out */
  readonly reason?: string;
}

async function* readRows(files: Split, dropSources: readonly string[], listed: ReadonlySet<string>): AsyncGenerator<ReadRow> {
  const seen = new Set<string>();
  for await (const { at, row } of placedRows(files, { columns: UF_COLUMNS })) {
    const rated = row === undefined ? undefined : readUltraFeedback(row);
    if (rated === undefined) {
      yield { at, reason: row === undefined ? 'no JSON object' : 'other columns' };
      continue;
    }
    const reason = reasonAgainst(rated);
    if (reason === undefined) seen.add(rated.prompt_id);
    yield reason === undefined ? { at, rated } : { at, rated, reason };
  }

  function reasonAgainst({ source, prompt, prompt_id }: RatedRow): string | undefined {
    if (dropSources.includes(source)) return `source ${source}`;
    if (listed.has(normalise(prompt))) return 'in a benchmark';
    return seen.has(prompt_id) ? 'duplicate' : undefined;
  }
}
