import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { hmacUniform } from '../../base/hmac-choice.ts';
import { sha256 } from '../../base/sha256.ts';
import { datasetCard } from '../../datasets/card.ts';
import { MESSAGES } from '../../datasets/conversation.ts';
import { writeLines } from '../../datasets/line-file.ts';
import { type Columns, type Row, writeParquet } from '../../datasets/parquet.ts';
import { PAIR_COLUMNS } from '../../datasets/preference.ts';
import { dialogue, examQuestions, openings, type RatedAnswer, ratedAnswers } from '../../practice/exercises.ts';
import type { Phrasing, QuestionBank } from '../../practice/question-bank.ts';
import { questionBankOf } from '../../practice/reply.ts';
import type { Task } from '../stage.ts';
import { promptId } from '../step-config.ts';

const rows = z.int().nonnegative();
/** Rows of each split, see `SetupSpec.world`. */
const config = z.object({
  seed: z.int(),
  dialogues: rows,
  test_dialogues: rows,
  prompts: rows,
  pairs: rows,
  test_pairs: rows,
  ratings: rows,
  exam_prompts: rows,
});

export type SyntheticDataConfig = z.infer<typeof config> & { readonly version: 1 };

const DIALOGUE_COLUMNS: Columns = { prompt: 'string', prompt_id: 'string', messages: MESSAGES };
const EXAM_FILE = 'prompts.jsonl';

/**
 * The data of a rehearsal, in the layouts of the published sets that it stands for: dialogues as ultrachat_200k, prompts as
 * its train_gen, pairs as ultrafeedback_binarized, ratings as openbmb/UltraFeedback; and the exam, in wordings that none of
 * them holds. A split of no rows is left out.
 */
export const syntheticData: Task = async (context) => {
  const settings = config.parse(context.config);
  const { seed } = settings;
  const bank = questionBankOf(seed);
  const metrics: Record<string, number> = {};
  const splits: Record<string, Record<string, string>> = {};
  const take = (purpose: string, from: number, count: number) => openings(bank, seed, purpose).slice(from, from + count);

  async function write(name: string, split: string, columns: Columns, made: readonly Row[]): Promise<void> {
    if (made.length === 0) return;
    const file = `data/${split}-00000-of-00001.parquet`;
    metrics[split] = await writeParquet(join(context.out, file), columns, made);
    splits[name] = { ...splits[name], [split]: file };
  }
  const dialogueRow = ({ text }: Phrasing): Row => ({
    prompt: text,
    prompt_id: promptId(text),
    messages: dialogue(bank, seed, text),
  });
  const pairs = take('pairs', 0, settings.pairs + settings.test_pairs).flatMap((phrasing) => pairRows(bank, seed, phrasing));

  await write(
    'dialogues',
    'train_sft',
    DIALOGUE_COLUMNS,
    take('dialogues', settings.test_dialogues, settings.dialogues).map(dialogueRow),
  );
  await write('dialogues', 'test_sft', DIALOGUE_COLUMNS, take('dialogues', 0, settings.test_dialogues).map(dialogueRow));
  await write(
    'prompts',
    'train_gen',
    { prompt: 'string', prompt_id: 'string' },
    take('prompts', 0, settings.prompts).map(({ text }) => ({ prompt: text, prompt_id: promptId(text) })),
  );
  await write('pairs', 'train_prefs', PAIR_COLUMNS, pairs.slice(settings.test_pairs));
  await write('pairs', 'test_prefs', PAIR_COLUMNS, pairs.slice(0, settings.test_pairs));

  const rated = take('ratings', 0, settings.ratings).map((phrasing) => ratingRow(phrasing, ratedAnswers(bank, seed, phrasing)));
  const exam = examQuestions(bank, seed, settings.exam_prompts).map(({ kind, messages, question }) => {
    const prompt = messages.at(-1)?.content ?? '';
    const prompt_id = messages.length === 1 ? promptId(prompt) : sha256(JSON.stringify(messages));
    return { prompt_id, kind, prompt, messages, solution: question.values };
  });
  for (const [name, split, file, made] of [
    ['ratings', 'train', 'data/train.jsonl', rated],
    ['exam', 'exam', EXAM_FILE, exam],
  ] as const) {
    if (made.length === 0) continue;
    await mkdir(join(context.out, 'data'), { recursive: true });
    await writeLines(join(context.out, file), made);
    metrics[split === 'train' ? 'ratings' : split] = made.length;
    splits[name] = { [split]: file };
  }
  const { people, towns } = bank.world;
  await writeFile(
    join(context.out, 'README.md'),
    datasetCard('Practice data', `An invented world of ${people.length} people and ${towns.length} towns.`, splits),
  );
  return { metrics: { ...metrics, questions: bank.phrasings.length }, costUsd: 0 };
};

/** The best answer against one of the worse, drawn by the prompt. */
function pairRows(bank: QuestionBank, seed: number, phrasing: Phrasing): Row[] {
  const answers = ratedAnswers(bank, seed, phrasing);
  const best = answers.reduce((a, b) => (b.mean > a.mean ? b : a));
  const worse = answers.filter(({ mean }) => mean < best.mean);
  const rejected = worse[Math.floor(hmacUniform(seed, 'rejected', phrasing.text) * worse.length)];
  if (rejected === undefined) return [];
  const turns = (text: string) => [
    { role: 'user', content: phrasing.text },
    { role: 'assistant', content: text },
  ];
  return [
    {
      prompt: phrasing.text,
      prompt_id: promptId(phrasing.text),
      chosen: turns(best.text),
      rejected: turns(rejected.text),
      messages: turns(best.text),
      score_chosen: best.mean,
      score_rejected: rejected.mean,
      chosen_model: `practice-${best.persona}`,
      rejected_model: `practice-${rejected.persona}`,
      margin: best.mean - rejected.mean,
    },
  ];
}

/** A row of openbmb/UltraFeedback: ratings as text, an overall score from 1 to 10. */
function ratingRow({ text }: Phrasing, answers: readonly RatedAnswer[]): Row {
  return {
    source: 'practice',
    instruction: text,
    models: answers.map(({ persona }) => `practice-${persona}`),
    completions: answers.map(({ persona, text: response, ratings, mean }) => ({
      model: `practice-${persona}`,
      principle: 'helpfulness',
      response,
      annotations: Object.fromEntries(Object.entries(ratings).map(([aspect, rating]) => [aspect, { Rating: String(rating) }])),
      overall_score: Math.round(2 * mean),
    })),
  };
}
