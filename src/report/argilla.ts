import { createWriteStream } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { makeFolder } from '../base/atomic-write.ts';
import { hmacUniform } from '../base/hmac-choice.ts';
import { ZephyrError } from '../errors.ts';
import { argillaDataset, argillaSettings } from './argilla-settings.ts';
import { type FeedbackAnswer, type FeedbackRow, feedbackRows } from './feedback-rows.ts';
import { preferenceShare } from './judged.ts';
import { allFlags } from './review-row.ts';
import type { FeedbackFolder } from './write-review.ts';

/** Aspects that people can rate on the same scale; what else judges give is no rating of one answer from 1 to 5. */
const NOT_RATED = ['overall', 'comparison', 'reward'];

/**
 * Writes all pairs as a folder that `rg.Dataset.from_disk` of Argilla 2 reads: `.argilla/settings.json`,
 * `.argilla/dataset.json`, `records.json`. The layout is that of `DiskImportExportMixin.to_disk`, `Settings.serialize` and
 * `Record.to_dict` in argilla 2.8.0 (argilla/src/argilla of argilla-io/argilla); a record's `id` is its external id on the
 * server. What the judges said becomes suggestions, only where all orders and judges agree on a whole number; the score of
 * the suggested preference is the share of judgements for it. Returns the number of records.
 */
export async function exportToArgilla(to: string, { folder, name, id }: FeedbackFolder): Promise<number> {
  if ((await readdir(to).catch(nothing)).length > 0)
    throw new ZephyrError(`Cannot export to "${to}": expected a folder that is empty, or not there yet`);
  await makeFolder(join(to, '.argilla'));
  const aspects = new Set<string>();
  let count = 0;

  async function* lines(): AsyncGenerator<string> {
    for await (const row of feedbackRows(folder, null, 0)) {
      for (const { aspect } of [...row.chosen.judged, ...row.rejected.judged])
        if (!NOT_RATED.includes(aspect)) aspects.add(aspect);
      yield `${count === 0 ? '[' : ',\n'}${JSON.stringify(argillaRecord(row, id))}`;
      count += 1;
    }
    yield count === 0 ? '[]\n' : ']\n';
  }
  await pipeline(Readable.from(lines()), createWriteStream(join(to, 'records.json')));
  const write = (file: string, content: object) =>
    writeFile(join(to, '.argilla', file), `${JSON.stringify(content, undefined, 2)}\n`);
  await write('settings.json', argillaSettings([...aspects].sort()));
  await write('dataset.json', argillaDataset(name.split('/').at(-1) ?? name));
  return count;
}

function argillaRecord(row: FeedbackRow, id: string): object {
  const { chosen, rejected, ratings, prompt_id } = row;
  // a person who knew the judge's choice would rate the judge and not the answers
  const isChosenFirst = hmacUniform(0, 'side', prompt_id) < 0.5;
  const [a, b] = isChosenFirst ? [chosen, rejected] : [rejected, chosen];
  const judges = [...new Set(ratings.map(({ judge }) => judge))].sort().join(', ');
  const share = chosen.id === undefined || rejected.id === undefined ? null : preferenceShare(ratings, chosen.id, rejected.id);
  const known = {
    margin: row.margin,
    disagreement: row.disagreement,
    length_gap: row.lengthGap,
    source: row.source,
    split: row.split,
    flags: allFlags(row).length === 0 ? null : allFlags(row),
    chosen_side: isChosenFirst ? 'a' : 'b',
    chosen_model: chosen.model,
    rejected_model: rejected.model,
  };
  return {
    id: prompt_id,
    fields: { prompt: row.prompt, answer_a: a.text, answer_b: b.text },
    metadata: Object.fromEntries(Object.entries(known).filter(([, value]) => value !== null)),
    suggestions: {
      preference: { value: isChosenFirst ? 'a' : 'b', score: share, agent: judges || id },
      ...suggestedRatings(a, 'a'),
      ...suggestedRatings(b, 'b'),
    },
    responses: {},
    vectors: {},
    status: 'pending',
    _server_id: null,
  };
}

function suggestedRatings({ judged }: FeedbackAnswer, side: 'a' | 'b'): Record<string, object> {
  const agreed = judged.flatMap(({ aspect, ratings }) => {
    const values = new Set(ratings.map(({ value }) => value));
    const [value] = values;
    if (NOT_RATED.includes(aspect) || values.size !== 1 || !Number.isInteger(value)) return [];
    const agent = [...new Set(ratings.map(({ judge }) => judge))].sort().join(', ');
    return [[`${aspect}_${side}`, { value, score: null, agent }] as const];
  });
  return Object.fromEntries(agreed);
}

function nothing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
