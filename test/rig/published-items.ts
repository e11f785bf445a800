import { readFileSync } from 'node:fs';
import type { EvaluationItem } from '../../src/model/evaluation.ts';

type Row = Readonly<Record<string, string | number | null>>;

function rows(file: string): Row[] {
  const text = readFileSync(new URL(`../fixtures/evaldata/${file}`, import.meta.url), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
}

/** GPT-4's scores of a model's 160 turns of MT-Bench, clustered by question. */
export function publishedTurns(model: string): EvaluationItem[] {
  return rows('mtbench_orpo_scores.jsonl')
    .filter((row) => row.model === model)
    .map(({ question_id, turn, score }) => ({ id: `${question_id}/${turn}`, cluster: `${question_id}`, score: score as number }));
}

/** GPT-4's preferences for a Zephyr over text-davinci-003 as shares of a win; a "0" of the annotator counts as a tie. */
export function publishedPreferences(model: 'alpha' | 'beta'): EvaluationItem[] {
  return rows('alpacaeval_zephyr_numbers.jsonl').map((row) => {
    const preference = row[model] as number | null;
    const score = preference === null ? null : preference === 0 ? 0.5 : preference - 1;
    return { id: row.id as string, cluster: row.id as string, score, ...(score === null ? { dropped: 'no preference' } : {}) };
  });
}
