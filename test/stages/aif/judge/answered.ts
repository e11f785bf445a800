import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../../../src/base/sha256.ts';
import { openSession } from '../../../../src/calls/session.ts';
import { readParquet, writeParquet } from '../../../../src/datasets/parquet.ts';
import type { Rating } from '../../../../src/judging/rating.ts';
import { makeQuestionBank } from '../../../../src/practice/question-bank.ts';
import { replyText } from '../../../../src/practice/reply.ts';
import type { TeachersConfig } from '../../../../src/stages/aif/judge/config.ts';
import { prefetchJudge } from '../../../../src/stages/aif/judge/prefetch.ts';
import { COMPLETION_COLUMNS, COMPLETIONS_FILE, type Completion, RATINGS_FILE } from '../../../../src/stages/aif/tables.ts';
import { callFields, type Workshop } from '../../../rig/task.ts';

const FILES = join(import.meta.dirname, '../../../../scripts/train');

/** The world of the workshop's practice server. */
const bank = makeQuestionBank(7);
const questions = bank.phrasings.filter(({ heldOut }) => !heldOut).map(({ text }) => text);
const PERSONAS = ['direct', 'rambling', 'evasive'] as const;

/** Pairs of a right and an evasive answer to practice questions. */
export function practicePairs(count: number) {
  return Array.from({ length: count }, (_, n) => {
    const prompt = questions[n * 11 + 3] ?? '';
    return { prompt, chosen: said(prompt, 'direct'), rejected: said(prompt, 'evasive') };
  });
}

function said(prompt: string, persona: string): string {
  return replyText(bank, `practice-${persona}`, { model: 'x', messages: [{ role: 'user', content: prompt }] }) ?? '';
}

/** Answers of three manners to each of `count` practice questions, as the step `generate` publishes them. */
export async function answered(
  folder: string,
  count: number,
  change: (completion: Completion, index: number) => Partial<Completion> = () => ({}),
): Promise<{ readonly out: string; readonly completions: readonly Completion[] }> {
  const out = await mkdtemp(join(folder, 'answered-'));
  const prompts = Array.from({ length: count }, (_, n) => questions[n * 7] ?? '');
  const byId = prompts
    .map((prompt) => ({ prompt, prompt_id: sha256(prompt) }))
    .sort((a, b) => (a.prompt_id < b.prompt_id ? -1 : 1));
  const completions = byId
    .flatMap(({ prompt, prompt_id }) =>
      PERSONAS.map((persona): Completion => {
        const empty = Object.fromEntries(Object.keys(COMPLETION_COLUMNS).map((name) => [name, null]));
        const own = {
          completion_id: `${prompt_id}/${persona}`,
          prompt_id,
          prompt,
          member: persona,
          model: `practice-${persona}`,
        };
        return { ...empty, ...own, text: said(prompt, persona), finish_reason: 'stop', flags: [] } as unknown as Completion;
      }),
    )
    .map((completion, index) => ({ ...completion, ...change(completion, index) }));
  await writeParquet(join(out, COMPLETIONS_FILE), COMPLETION_COLUMNS, completions);
  return { out, completions };
}

/** Asks ahead, prompt by prompt, in a session whose call log the task `judge` of this workshop goes on with. */
export async function askAhead(shop: Workshop, config: TeachersConfig, completions: readonly Completion[]): Promise<void> {
  const ask = await prefetchJudge(config, FILES);
  const session = await openSession({
    callLog: join(shop.folder, 'journal', 'judge'),
    teacher: () => Promise.resolve([shop.teacher]),
    signal: new AbortController().signal,
  });
  for (const own of Map.groupBy(completions, ({ prompt_id }) => prompt_id).values()) await ask(own, session);
  await session.close();
}

export async function ratingsIn(out: string): Promise<Rating[]> {
  const rows: Rating[] = [];
  for await (const row of readParquet(join(out, RATINGS_FILE))) rows.push(row as Rating);
  return rows;
}

export const judging = (change: Partial<TeachersConfig> = {}): TeachersConfig => ({
  version: 3,
  by: 'teachers',
  seed: 3,
  judges: [callFields('practice-judge', 1024)],
  fallback: null,
  mode: 'per_aspect',
  aspects: ['instruction_following', 'honesty', 'truthfulness', 'helpfulness'],
  overall: false,
  permutations: 2,
  pairs_per_prompt: 10,
  min_mass: 0.5,
  calibration: null,
  ...change,
});
