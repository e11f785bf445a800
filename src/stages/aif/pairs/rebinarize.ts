import { join } from 'node:path';
import * as z from 'zod';
import { writeParquet } from '../../../base/parquet.ts';
import { ZephyrError } from '../../../errors.ts';
import { listedPrompts, normalise } from '../../listed.ts';
import { counter, readSplit } from '../../rows.ts';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { COMPLETION_COLUMNS, COMPLETIONS_FILE, RATING_COLUMNS, RATINGS_FILE } from '../tables.ts';
import { contradictions, type Scored } from './contradictions.ts';
import { binarizeFields, pairing, writePairs } from './pairs.ts';
import { scoreOf } from './scores.ts';
import { type Rated, readUltraFeedback, UF_ASPECTS } from './ultrafeedback.ts';

const config = binarizeFields.extend({ split: z.string(), drop_sources: z.array(z.string()) });

/** So many contradicting ids are named in the report. */
const NAMED = 100;

/**
 * Published ratings (rows as openbmb/UltraFeedback has them) into pairs under a rule of one's own. Where the overall score
 * contradicts the aspects, as it did for thousands of worst answers marked 10, the answers are counted and named.
 */
export const rebinarize: Task = async (context) => {
  const { split, drop_sources, test_prompts, score, ...rule } = config.parse(context.config);
  const folder = inputFolder(context, 'ratings');
  const listed = await listedPrompts(context.inputs.decontaminate);

  async function* kept(drop: (reason: string) => void): AsyncGenerator<Rated> {
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
        yield rated;
      }
    }
  }
  async function* completions() {
    for await (const rated of kept(() => {})) yield* rated.completions;
  }
  async function* ratings() {
    for await (const rated of kept(() => {})) yield* rated.ratings;
  }

  const made = pairing(rule);
  const leftOut = counter();
  const scored: Scored[] = [];
  let prompts = 0;
  for await (const rated of kept((reason) => made.drops.add(reason))) {
    prompts += 1;
    const answers = rated.completions.map((completion) => {
      const own = rated.ratings.filter(({ completion_id }) => completion_id === completion.completion_id);
      const overall = scoreOf(own, 'overall', UF_ASPECTS);
      const mean = scoreOf(own, 'mean_aspects', UF_ASPECTS);
      if (overall !== null && mean !== null) scored.push({ id: completion.completion_id, overall, mean });
      return { completion, value: score === 'overall' ? overall : mean };
    });
    leftOut.add('no full score', answers.filter(({ value }) => value === null).length);
    made.add(
      rated,
      answers.flatMap(({ completion, value }) =>
        value === null ? [] : [{ id: completion.completion_id, model: completion.model, text: completion.text, score: value }],
      ),
    );
  }
  const found = contradictions(scored);
  if (found.length > 0)
    context.note(
      `${found.length} of ${scored.length} answers have an overall score that contradicts their aspects; see report.json`,
    );

  await writeParquet(join(context.out, COMPLETIONS_FILE), COMPLETION_COLUMNS, completions());
  await writeParquet(join(context.out, RATINGS_FILE), { ...RATING_COLUMNS, rating: 'double' }, ratings());
  const report = {
    prompts,
    ...made.metrics(),
    answers_left_out: leftOut.counts(),
    contradictions: found.length,
    contradicting: found.slice(0, NAMED),
  };
  const { contradicting: _, ...metrics } = await writePairs(context.out, made.pairs, rule.seed, test_prompts, report);
  return { metrics, costUsd: 0 };
};
