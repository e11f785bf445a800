import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { hmacUniform } from '../../../base/hmac-choice.ts';
import type { Row } from '../../../base/parquet.ts';
import { ZephyrError } from '../../../errors.ts';
import { datasetCard } from '../../dataset-card.ts';
import { listedPrompts, normalise } from '../../listed.ts';
import { counter, readSplit, textOf } from '../../rows.ts';
import type { Task } from '../../stage.ts';
import { promptId } from '../../step-config.ts';
import { PROMPTS_FILE, type Prompt } from '../tables.ts';

const config = z.object({
  seed: z.int(),
  split: z.string(),
  column: z.string(),
  list: z.array(z.string()),
  rows: z.int().nullable(),
  max_characters: z.int(),
});

/** As many faulty rows are named in an error. */
const NAMED = 20;

/**
 * What the pool answers: read, checked, each prompt once, sorted by id. The id is the row's `prompt_id`, else sha256 of
 * the text. Which prompts stay under a cap depends on seed and id alone.
 */
export const prompts: Task = async (context) => {
  const { seed, split, column, list, rows, max_characters } = config.parse(context.config);
  const { source } = context.inputs;
  const listed = [...(await listedPrompts(context.inputs.decontaminate))];
  const drops = counter();
  const kept = new Map<string, Prompt>();
  const seen = new Set<string>();
  const faulty: string[] = [];
  let read = 0;

  function take(row: Row, at: string): void {
    read += 1;
    const prompt = textOf(row[column]);
    if (prompt === undefined) {
      faulty.push(at);
      return;
    }
    const reason = dropReason(prompt);
    if (reason !== undefined) {
      drops.add(reason);
      return;
    }
    seen.add(prompt);
    const given = row.prompt_id;
    const prompt_id = typeof given === 'string' && given !== '' && !kept.has(given) ? given : promptId(prompt);
    kept.set(prompt_id, { prompt_id, prompt });
  }
  function dropReason(prompt: string): string | undefined {
    if (prompt.trim() === '') return 'empty';
    if (!prompt.isWellFormed() || prompt.includes('\uFFFD')) return 'not valid text';
    if (prompt.length > max_characters) return 'too long';
    if (seen.has(prompt)) return 'duplicate';
    const folded = normalise(prompt);
    return listed.some((entry) => folded.includes(entry)) ? 'in a benchmark' : undefined;
  }

  for (const [index, prompt] of list.entries()) take({ [column]: prompt }, `prompt ${index + 1}`);
  if (source !== undefined) for await (const row of readSplit(source, split)) take(row, `row ${read + 1}`);
  if (faulty.length > 0) {
    const more = faulty.length > NAMED ? ` and ${faulty.length - NAMED} more` : '';
    throw new ZephyrError(
      `Cannot read ${faulty.length} of ${read} prompts: expected text or messages with a user turn in column "${column}"`,
      { hint: `Faulty: ${faulty.slice(0, NAMED).join(', ')}${more}` },
    );
  }
  const drawn = rows === null || kept.size <= rows ? [...kept.values()] : draw([...kept.values()], seed, rows);
  drops.add('not drawn', kept.size - drawn.length);
  if (drawn.length === 0)
    throw new ZephyrError('Cannot go on without a prompt: all were dropped', { hint: JSON.stringify(drops.counts()) });

  drawn.sort((a, b) => (a.prompt_id < b.prompt_id ? -1 : 1));
  await writeFile(
    join(context.out, PROMPTS_FILE),
    drawn.map(({ prompt_id, prompt }) => `${JSON.stringify({ prompt_id, prompt })}\n`).join(''),
  );
  await writeFile(
    join(context.out, 'README.md'),
    datasetCard('Prompts', 'What the pool of models answers.', { default: { train: PROMPTS_FILE } }),
  );
  return { metrics: { prompts: drawn.length, read, dropped: drops.counts() }, costUsd: 0 };
};

function draw(all: readonly Prompt[], seed: number, rows: number): Prompt[] {
  return all
    .map((prompt) => ({ prompt, at: hmacUniform(seed, 'prompts', prompt.prompt_id) }))
    .sort((a, b) => a.at - b.at)
    .slice(0, rows)
    .map(({ prompt }) => prompt);
}
