import { constants } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import * as z from 'zod';
import { counter } from '../../../base/counter.ts';
import type { Row } from '../../../datasets/parquet.ts';
import { readRows, splitFiles } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import { datasetCard, markdownTable } from '../../dataset-card.ts';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';

const config = z.object({ train: z.string(), test: z.string().nullable(), rows: z.record(z.string(), z.int()).nullable() });

const turns = z.array(z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })).min(2);
const pairRow = z.looseObject({ prompt: z.string(), chosen: turns, rejected: turns });

/**
 * Published pairs, taken as they are: every row is checked (columns, both sides end in an answer to the same prompt), the
 * number of rows is what the recipe says, and the files are passed on byte by byte as `train_prefs` and `test_prefs`.
 */
export const passPairs: Task = async (context) => {
  const { train, test, rows } = config.parse(context.config);
  const folder = inputFolder(context, 'pairs');
  await mkdir(join(context.out, 'data'), { recursive: true });
  const counts: Record<string, number> = {};
  const oddities = counter();
  const files: Record<string, string> = {};
  for (const [split, name] of [[train, 'train_prefs'], ...(test === null ? [] : [[test, 'test_prefs']])] as [string, string][]) {
    let count = 0;
    const paths = await splitFiles(folder, split);
    const names = namesOf(paths, split, name);
    for (const [index, path] of paths.entries()) {
      for await (const row of readRows(path)) {
        count += 1;
        const oddity = check(row, `${split}, row ${count}`);
        if (oddity !== undefined) oddities.add(oddity);
      }
      await copyFile(path, join(context.out, 'data', names[index] as string), constants.COPYFILE_FICLONE);
    }
    const expected = rows?.[split];
    if (expected !== undefined && expected !== count) {
      throw new ZephyrError(`Cannot take split "${split}": it has ${count} rows, expected ${expected}`, {
        hint: 'Published sets were rewritten in place: pin the revision that the recipe means, or change aif.rows.',
      });
    }
    counts[name] = count;
    files[name] = `data/${name}*`;
  }
  const metrics = { ...counts, oddities: oddities.counts() };
  await writeFile(join(context.out, 'report.json'), `${JSON.stringify(metrics, undefined, 2)}\n`);
  await writeFile(
    join(context.out, 'README.md'),
    datasetCard('Preferences', aboutPairs(counts, oddities.counts()), { default: files }),
  );
  return { metrics, costUsd: 0 };
};

/** Under the split's new name; where the old one is in no file's name, or two folders have files of one name, numbered. */
function namesOf(paths: readonly string[], split: string, name: string): string[] {
  const renamed = paths.map((path) => basename(path)).filter((base) => base.startsWith(split));
  if (new Set(renamed).size === paths.length) return renamed.map((base) => name + base.slice(split.length));
  const digits = (number: number) => String(number).padStart(5, '0');
  return paths.map((path, index) => `${name}-${digits(index)}-of-${digits(paths.length)}${extname(path)}`);
}

function aboutPairs(counts: Readonly<Record<string, number>>, oddities: Readonly<Record<string, number>>): string {
  const odd = Object.entries(oddities);
  return [
    'Published pairs, passed on unchanged: the licence is that of the dataset named below as the input `pairs`.',
    markdownTable(['split', 'rows'], Object.entries(counts)),
    odd.length === 0 ? 'Every row was looked at; none is odd.' : markdownTable(['what is odd', 'rows'], odd),
  ].join('\n\n');
}

/** Throws on rows that cannot be trained on; names what is odd in others. */
function check(row: Row, at: string): string | undefined {
  const parsed = pairRow.safeParse(row);
  const { data } = parsed;
  const answers = [data?.chosen.at(-1), data?.rejected.at(-1)];
  if (data === undefined || answers.some((turn) => turn?.role !== 'assistant')) {
    throw new ZephyrError(
      `Cannot take pairs: ${at} is no pair, expected columns prompt (text), chosen and rejected (lists of {content, role} that end in an answer)`,
    );
  }
  const asked = (side: z.infer<typeof turns>) => JSON.stringify(side.slice(0, -1).map(({ role, content }) => [role, content]));
  if (asked(data.chosen) !== asked(data.rejected))
    throw new ZephyrError(`Cannot take pairs: in ${at} chosen and rejected answer different prompts`);
  if (answers[0]?.content === answers[1]?.content) return 'both answers are equal';
  return data.chosen.find(({ role }) => role === 'user')?.content === data.prompt
    ? undefined
    : 'the prompt is not the first user turn';
}
