import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { counter } from '../../../base/counter.ts';
import { readRows } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import { MANIFEST_FILE, type Manifest, manifest } from '../../../model/manifest.ts';
import { REPORT_FILE, SOURCES_FILE } from '../tables.ts';

const sourceReports = z.array(
  z.looseObject({ source: z.string(), licence: z.string().nullable(), safety: z.boolean().default(false) }),
);

/** How order, place, length and author moved the ratings: of `report.json` beside them, see `JudgeStatistics`. */
const judgeReport = z.object({
  orders: z.object({ pairs: z.number(), ranked_differently: z.number().nullable() }),
  mean_by_position: z.array(z.number().nullable()),
  mean_by_model: z.record(z.string(), z.number().nullable()),
  length: z.object({ spearman: z.number().nullable(), longer_wins: z.number().nullable() }),
  injections: z.object({ answers: z.number() }).transform(({ answers }) => answers),
  judge_family_overlap: z.array(z.string()),
});

export type JudgeReport = z.infer<typeof judgeReport>;

/** Where prompts, answers and ratings come from, as far as their artifacts tell; see `readOrigin`. */
export type Origin = {
  readonly sources: readonly { readonly source: string; readonly licence: string | null; readonly safety: boolean }[];
  /** prompts with an item of a benchmark, by benchmark; null: they were compared with none, or their artifact does not say */
  readonly contamination: Readonly<Record<string, number>> | null;
  /** null: the ratings come without a report of zephyr's */
  readonly judge: JudgeReport | null;
  /** step and content digest of each input that zephyr published; their IDs, which differ between Hubs, are in the card */
  readonly inputs: Readonly<Record<string, { readonly step: string; readonly digest: string }>>;
};

/** `zephyr.json` of an input, which lies beside its files where zephyr published it; `undefined` elsewhere. */
async function manifestOf(folder: string): Promise<Manifest | undefined> {
  const text = await readOrNothing(join(folder, MANIFEST_FILE));
  return text === undefined ? undefined : manifest.parse(JSON.parse(text));
}

/** What the artifacts of prompts, completions and ratings tell about themselves. */
export async function readOrigin(folders: Readonly<Record<string, string>>): Promise<Origin> {
  const inputs: Record<string, Origin['inputs'][string]> = {};
  for (const [name, folder] of Object.entries(folders)) {
    const found = await manifestOf(folder);
    if (found !== undefined) inputs[name] = { step: `${found.stage}/${found.step}`, digest: found.digest };
  }
  const { prompts, ratings } = folders;
  const said = ratings === undefined ? undefined : await readOrNothing(join(ratings, REPORT_FILE));
  const judge = said === undefined ? null : judgeReport.parse(JSON.parse(said));
  if (prompts === undefined) return { sources: [], contamination: null, judge, inputs };
  const sources = await readOrNothing(join(prompts, SOURCES_FILE));
  return {
    sources: sources === undefined ? [] : sourceReports.parse(JSON.parse(sources)),
    contamination: await hits(prompts),
    judge,
    inputs,
  };
}

/** What the inputs cost when they were made, by any run: dollars, and tokens as far as their steps counted them. */
export interface Spending {
  readonly input: string;
  readonly costUsd: number;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
}

export async function readSpending(folders: Readonly<Record<string, string>>): Promise<Spending[]> {
  const spent: Spending[] = [];
  for (const [input, folder] of Object.entries(folders)) {
    const found = await manifestOf(folder);
    if (found === undefined) continue;
    const count = (name: string) => (typeof found.metrics[name] === 'number' ? found.metrics[name] : null);
    spent.push({ input, costUsd: found.costUsd, inputTokens: count('prompt_tokens'), outputTokens: count('completion_tokens') });
  }
  return spent;
}

/** Prompts that hold an item of a benchmark, one a line of `contamination.jsonl` for each benchmark. */
async function hits(prompts: string): Promise<Record<string, number> | null> {
  const counts = counter();
  try {
    for await (const row of readRows(join(prompts, 'contamination.jsonl'))) counts.add(String(row.benchmark));
  } catch (error) {
    if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return null;
    throw error;
  }
  return counts.counts();
}

async function readOrNothing(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ZephyrError(`Cannot read "${path}": ${(error as Error).message}`, { cause: error });
  }
}
