import { createWriteStream } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZephyrError } from '../errors.ts';
import { type FeedbackRow, feedbackRows } from './feedback-rows.ts';
import { reviewPage } from './review-page.ts';

/** A dataset of pairs that lies in a folder. */
export interface FeedbackFolder {
  /** `hf://datasets/ORG/NAME@COMMIT` */
  readonly id: string;
  readonly name: string;
  readonly folder: string;
}

/** Writes the page of at most `rows` pairs (null: all), drawn by `seed`; the file is there whole or not at all. */
export async function writeReview(
  file: string,
  { folder, id, name }: FeedbackFolder,
  rows: number | null,
  seed: number,
): Promise<{ readonly rows: number; readonly pairs: number }> {
  const shown: FeedbackRow[] = [];
  for await (const row of feedbackRows(folder, rows, seed)) shown.push(row);
  const pairs = (await pairsIn(folder)) ?? shown.length;
  const temporary = `${file}.tmp`;
  try {
    await pipeline(Readable.from(reviewPage({ id, name, pairs, seed }, shown)), createWriteStream(temporary));
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new ZephyrError(`Cannot write "${file}": expected a folder that is there`, { cause: error });
  }
  return { rows: shown.length, pairs };
}

/** The number of pairs, as the dataset's own report counts them. */
async function pairsIn(folder: string): Promise<number | undefined> {
  const text = await readFile(join(folder, 'report.json'), 'utf8').catch(() => '{}');
  const { train_prefs, test_prefs } = JSON.parse(text) as Record<string, unknown>;
  return typeof train_prefs === 'number' ? train_prefs + (typeof test_prefs === 'number' ? test_prefs : 0) : undefined;
}
