import { constants } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import * as z from 'zod';
import { counter } from '../../../base/counter.ts';
import { datasetCard, markdownTable } from '../../../datasets/card.ts';
import { MESSAGES, type Turn } from '../../../datasets/conversation.ts';
import { Dropped } from '../../../datasets/dropped.ts';
import { type Columns, type Row, writeParquet } from '../../../datasets/parquet.ts';
import { PREFERENCE_COLUMNS, PREFERENCE_SHAPES, preferenceOf } from '../../../datasets/preference.ts';
import { columnsOf, openSplit, placedRows, type Split } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import { MAX_DROPPED } from '../../data-spec.ts';
import type { Task, TaskContext } from '../../stage.ts';
import { inputFolder, promptId } from '../../step-config.ts';

const config = z.object({
  config: z.string().exactOptional(),
  train: z.string(),
  test: z.string().nullable(),
  rows: z.record(z.string(), z.int()).nullable(),
  max_dropped: z.number().exactOptional(),
});
type Config = z.infer<typeof config>;
/** Reads the input `pairs`, writes its splits as `train_prefs` and `test_prefs`. */
export type PassPairsConfig = z.infer<typeof config> & { readonly version: 3 };

const turns = z.array(z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })).min(2);
const pairRow = z.looseObject({ prompt: z.string(), chosen: turns, rejected: turns });

/** Columns of pairs that came in another shape: those of ultrafeedback_binarized, as far as the rows have them. */
const COLUMNS: Columns = {
  prompt: 'string',
  prompt_id: 'string',
  chosen: MESSAGES,
  rejected: MESSAGES,
  score_chosen: 'double',
  score_rejected: 'double',
};

/**
 * Published pairs, taken as they are: every row is looked at, the number of rows is what the recipe says, and the files are
 * passed on byte by byte as `train_prefs` and `test_prefs`. Where rows have another shape that TRL or ShareGPT know, or some
 * cannot be used, they are written anew in the columns of ultrafeedback_binarized.
 */
export const passPairs: Task = async (context) => {
  const settings = config.parse(context.config);
  const { train, test } = settings;
  await mkdir(join(context.out, 'data'), { recursive: true });
  const counts: Record<string, number> = {};
  const dropped: Record<string, Readonly<Record<string, number>>> = {};
  const oddities = counter();
  const files: Record<string, string> = {};
  for (const [split, name] of [[train, 'train_prefs'], ...(test === null ? [] : [[test, 'test_prefs']])] as [string, string][]) {
    const found = await openSplit(inputFolder(context, 'pairs'), { config: settings.config, split });
    const seen = await lookThrough(context, settings, split, found);
    for (const [oddity, count] of Object.entries(seen.oddities)) oddities.add(oddity, count);
    if (Object.keys(seen.dropped).length > 0) dropped[name] = seen.dropped;
    counts[name] = seen.isAsPublished
      ? await passOn(context.out, found, namesOf(found, split, name), seen.kept)
      : await writeParquet(join(context.out, `data/${name}-00000-of-00001.parquet`), COLUMNS, converted(found));
    files[name] = `data/${name}*`;
  }
  const told = Object.keys(dropped).length === 0 ? {} : { dropped };
  const metrics = { ...counts, ...told, oddities: oddities.counts() };
  await writeFile(join(context.out, 'report.json'), `${JSON.stringify(metrics, undefined, 2)}\n`);
  const about = aboutPairs(counts, dropped, oddities.counts());
  await writeFile(join(context.out, 'README.md'), datasetCard('Preferences', about, { default: files }));
  return { metrics, costUsd: 0 };
};

interface Seen {
  readonly kept: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly oddities: Readonly<Record<string, number>>;
  /** Every row has the columns and the shape of ultrafeedback_binarized, in files that can stay as they are. */
  readonly isAsPublished: boolean;
}

/** Looks at every row before any is passed on. Throws on too many that cannot be trained on, and on another number of rows. */
async function lookThrough(context: TaskContext, settings: Config, split: string, found: Split): Promise<Seen> {
  const dropped = new Dropped();
  const oddities = counter();
  let isAsPublished = found.files.every(({ path }) => /\.(parquet|jsonl)$/.test(path));
  for await (const { at, row } of placedRows(found, { columns: PREFERENCE_COLUMNS })) {
    const looked = row === undefined ? { use: false, reason: 'no JSON object' } : look(row);
    if (looked.use) dropped.keep();
    else dropped.drop(looked.reason ?? '', at);
    if (looked.use && looked.reason !== undefined) oddities.add(looked.reason);
    isAsPublished &&= looked.asPublished === true;
  }
  const what = `split "${split}" of the pairs`;
  const columns = dropped.isAll ? await columnsOf(found) : [];
  dropped.refuseAbove(settings.max_dropped ?? MAX_DROPPED, { what, expected: PREFERENCE_SHAPES, key: 'aif.maxDropped', columns });
  const expected = settings.rows?.[split];
  if (expected !== undefined && expected !== dropped.rows) {
    throw new ZephyrError(`Cannot take split "${split}": it has ${dropped.rows} rows, expected ${expected}`, {
      hint: 'Published sets were rewritten in place: pin the revision that the recipe means, or change aif.rows.',
    });
  }
  const note = dropped.note(what);
  if (note !== undefined) context.note(note);
  // a file that is passed on as it is keeps them, and the step that tokenises the pairs leaves them out
  return { kept: dropped.rows, dropped: dropped.counts, oddities: oddities.counts(), isAsPublished };
}

/** Whether a row can be trained on; `reason`: why not, or what is odd about it. */
function look(row: Row): { readonly use: boolean; readonly asPublished?: boolean; readonly reason?: string } {
  const { data } = pairRow.safeParse(row);
  const found = preferenceOf(row);
  const asPublished = data !== undefined;
  if (!found.ok && found.reason !== 'equal answers') return { use: false, asPublished, reason: found.reason };
  if (!found.ok) return { use: asPublished, asPublished, reason: 'both answers are equal' };
  if (data === undefined || data.chosen.find(({ role }) => role === 'user')?.content === data.prompt)
    return { use: true, asPublished };
  return { use: true, asPublished, reason: 'the prompt is not the first user turn' };
}

async function passOn(out: string, { files }: Split, names: readonly string[], rows: number): Promise<number> {
  for (const [index, { path }] of files.entries())
    await copyFile(path, join(out, 'data', names[index] as string), constants.COPYFILE_FICLONE);
  return rows;
}

async function* converted(split: Split): AsyncGenerator<Row> {
  const columns = [...PREFERENCE_COLUMNS, 'prompt_id', 'score_chosen', 'score_rejected'];
  for await (const { row } of placedRows(split, { columns })) {
    const found = row === undefined ? undefined : preferenceOf(row);
    if (row === undefined || found?.ok !== true) continue;
    const prompt = found.chosen.find(({ role }) => role === 'user')?.content ?? '';
    const side = (turns: readonly Turn[]) => turns.map(({ role, content }) => ({ content, role }));
    const score = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : null);
    yield {
      prompt,
      prompt_id: typeof row.prompt_id === 'string' && row.prompt_id !== '' ? row.prompt_id : promptId(prompt),
      chosen: side(found.chosen),
      rejected: side(found.rejected),
      score_chosen: score(row.score_chosen),
      score_rejected: score(row.score_rejected),
    };
  }
}

/** Under the split's new name; where the old one is in no file's name, or two folders have files of one name, numbered. */
function namesOf({ files }: Split, split: string, name: string): string[] {
  const paths = files.map(({ path }) => path);
  const renamed = paths.map((path) => basename(path)).filter((base) => base.startsWith(split));
  if (new Set(renamed).size === paths.length) return renamed.map((base) => name + base.slice(split.length));
  const digits = (number: number) => String(number).padStart(5, '0');
  return paths.map((path, index) => `${name}-${digits(index)}-of-${digits(paths.length)}${extname(path)}`);
}

function aboutPairs(
  counts: Readonly<Record<string, number>>,
  dropped: Readonly<Record<string, Readonly<Record<string, number>>>>,
  oddities: Readonly<Record<string, number>>,
): string {
  const odd = Object.entries(oddities);
  const out = Object.entries(dropped).flatMap(([split, reasons]) =>
    Object.entries(reasons).map(([reason, count]) => [split, reason, count] as const),
  );
  return [
    'Published pairs, passed on unchanged: the licence is that of the dataset named below as the input `pairs`.',
    markdownTable(['split', 'rows'], Object.entries(counts)),
    ...(out.length === 0 ? [] : [markdownTable(['split', 'cannot be trained on', 'rows'], out)]),
    odd.length === 0 ? 'Every row was looked at; none is odd.' : markdownTable(['what is odd', 'rows'], odd),
  ].join('\n\n');
}
