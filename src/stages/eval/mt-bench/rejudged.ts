import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { datasetCard } from '../../../datasets/card.ts';
import { readRows } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import type { RejudgeConfig } from './config.ts';
import { contentOf } from './content.ts';
import { QUESTIONS, question } from './data.ts';

/** A line of a file that FastChat calls model_answer, or of reference answers. */
export const modelAnswer = z.looseObject({
  question_id: z.int(),
  choices: z.array(z.looseObject({ turns: z.array(z.string()) })).min(1),
});

/** Where the answers of the model at this place of `rejudge` lie. */
export const rejudgedFile = (index: number): string => `rejudge-${index + 1}.jsonl`;

const HINT =
  'eval.mt-bench.rejudge names files of model_answer as FastChat writes them: on each line a question_id and choices with two turns';

/** Brings public answers, each file checked as a whole: a step of its own, so that our answers do not depend on them. */
export const getRejudged: Task = async (context) => {
  const { out, signal } = context;
  const { rejudge } = context.config as RejudgeConfig;
  const asked: number[] = [];
  for await (const row of readRows(join(inputFolder(context, 'data'), QUESTIONS))) asked.push(question.parse(row).question_id);
  for (const [index, { model, answers }] of rejudge.entries()) {
    const content = await contentOf(answers, { signal, hint: HINT });
    const flaw = flawOf(content.toString('utf8'), asked);
    if (flaw !== undefined) throw new ZephyrError(`Cannot use "${answers}" as the answers of ${model}: ${flaw}`, { hint: HINT });
    await writeFile(join(out, rejudgedFile(index)), content);
  }
  const about = `Public answers of ${rejudge.map(({ model }) => model).join(', ')} to the questions of MT-Bench, unchanged.`;
  const files = Object.fromEntries(rejudge.map((_, index) => [`model-${index + 1}`, { test: rejudgedFile(index) }]));
  await writeFile(join(out, 'README.md'), datasetCard('MT-Bench answers of other models', about, files));
  return { metrics: { models: rejudge.length }, costUsd: 0 };
};

function flawOf(text: string, asked: readonly number[]): string | undefined {
  const turns = new Map<number, number>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const { data } = modelAnswer.safeParse(parsed(line));
    if (data === undefined) return `line ${index + 1} is ${line.slice(0, 40)}, no answer to a question`;
    turns.set(data.question_id, data.choices[0]?.turns.length ?? 0);
  }
  const lacking = asked.find((id) => (turns.get(id) ?? 0) < 2);
  return lacking === undefined ? undefined : `it holds ${turns.get(lacking) ?? 0} of the 2 turns of question ${lacking}`;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
