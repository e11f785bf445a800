/** A value that others published: another judge or harness measured it, so it stands beside ours and is never subtracted. */
export interface PublishedValue {
  readonly model: string;
  /** as evaluations name it */
  readonly benchmark: string;
  /** in the scale of the benchmark; a share is in [0, 1] */
  readonly value: number;
  readonly standardError: number | undefined;
  /** what measured it: the judge, or the harness and its setting */
  readonly measuredBy: string;
  readonly source: string;
  readonly note: string | undefined;
}

/** Values of one table. A cell is a value, or a value and its standard error; shares are in percent, as they were printed. */
interface PublishedTable {
  readonly source: string;
  readonly columns: readonly { readonly benchmark: string; readonly measuredBy: string; readonly note?: string }[];
  readonly rows: readonly (readonly [model: string, ...cells: (number | readonly [number, number] | null)[]])[];
}

const GPT4 = 'GPT-4 of 2023';
const LEADERBOARD = 'lm-evaluation-harness b281b09 (2023), no chat template';
const MT_BENCH = { benchmark: 'mt-bench', measuredBy: GPT4 };
const ALPACA_1 = { benchmark: 'alpaca-eval-1', measuredBy: GPT4 };
const SEEN = 'UltraFeedback held prompts of TruthfulQA when Zephyr was trained on it';

const TABLES: readonly PublishedTable[] = [
  {
    source: 'arXiv 2310.16944, table 1',
    columns: [MT_BENCH, ALPACA_1],
    rows: [
      ['Zephyr 7B beta', 7.34, [90.6, 1.03]],
      ['Mistral Instruct 7B v0.1', 6.84, null],
      ['Xwin-LM 7B v0.1', 6.19, [87.83, 1.15]],
      ['MPT Chat 7B', 5.42, null],
      ['StableLM-Tuned-alpha 7B', 2.75, null],
      ['Falcon Instruct 40B', 5.17, [45.71, 1.75]],
      ['Guanaco 65B', 6.41, [71.8, 1.59]],
      ['Vicuna 33B v1.3', 7.12, [88.99, 1.1]],
      ['Llama 2 Chat 70B', 6.86, [92.66, 0.91]],
      ['WizardLM 70B v1.0', 7.71, null],
      ['Xwin-LM 70B v0.1', null, [95.57, 0.72]],
      ['GPT-3.5-turbo', 7.94, [89.37, 1.08]],
      ['Claude 2', 8.06, [91.36, 0.99]],
      ['GPT-4', 8.99, [95.28, 0.72]],
    ],
  },
  {
    source: 'arXiv 2310.16944, table 2',
    columns: [
      { benchmark: 'arc-challenge', measuredBy: LEADERBOARD },
      { benchmark: 'hellaswag', measuredBy: LEADERBOARD },
      { benchmark: 'mmlu', measuredBy: LEADERBOARD },
      { benchmark: 'truthfulqa', measuredBy: LEADERBOARD },
    ],
    rows: [
      ['Zephyr 7B beta', 62.03, 84.52, 61.44, 57.44],
      ['Mistral Instruct 7B v0.1', 54.52, 75.63, 55.38, 56.28],
      ['Xwin-LM 7B v0.1', 56.57, 79.4, 49.98, 47.89],
      ['MPT Chat 7B', 46.5, 75.51, 37.62, 40.16],
      ['StableLM-Tuned-alpha 7B', 31.91, 53.59, 24.41, 40.37],
      ['Falcon Instruct 40B', 61.6, 84.31, 55.45, 52.52],
      ['Guanaco 65B', 65.44, 86.47, 62.92, 52.81],
      ['Llama 2 Chat 70B', 67.32, 87.33, 69.83, 44.92],
      ['Vicuna 33B v1.3', 62.12, 83.0, 59.22, 56.16],
      ['WizardLM 70B v1.0', 64.08, 85.4, 64.97, 54.76],
      ['Xwin-LM 70B v0.1', 70.22, 87.25, 69.77, 59.86],
    ],
  },
  {
    source: 'arXiv 2310.16944, table 3',
    columns: [MT_BENCH, ALPACA_1],
    rows: [
      ['dDPO without dSFT', 4.76, [30.76, 1.63]],
      ['dSFT', 6.64, [85.65, 1.23]],
      ['dSFT, then SFT on chosen answers', 6.19, [78.54, 1.44]],
      ['dSFT, then dDPO, 1 epoch', 7.0, [86.07, 1.22]],
    ],
  },
  {
    source: 'leaderboard of alpaca_eval 1',
    columns: [ALPACA_1],
    rows: [
      ['Zephyr 7B alpha', [85.76, 1.23]],
      ['Mistral Instruct 7B v0.2', [92.78, 0.91]],
    ],
  },
  {
    source: 'leaderboard of alpaca_eval 2',
    columns: [{ benchmark: 'alpaca-eval-2', measuredBy: 'gpt-4-1106-preview', note: 'raw win rate' }],
    rows: [
      ['Zephyr 7B beta', [10.99, 0.96]],
      ['Zephyr 7B alpha', [8.35, 0.87]],
      ['Mistral Instruct 7B v0.2', [14.72, 1.08]],
      ['Vicuna 33B v1.3', 12.71],
      ['Llama 2 Chat 70B', [13.89, 1.08]],
      ['GPT-3.5-turbo', 9.62],
      ['Claude 2', 17.19],
      ['GPT-4', 23.58],
    ],
  },
];

/** What was published on these benchmarks, table by table. */
export function publishedValues(benchmarks: readonly string[]): PublishedValue[] {
  return TABLES.flatMap((table) => table.rows.flatMap((row) => valuesOf(row, table))).filter(({ benchmark }) =>
    benchmarks.includes(benchmark),
  );
}

function valuesOf([model, ...cells]: PublishedTable['rows'][number], { source, columns }: PublishedTable): PublishedValue[] {
  return columns.flatMap(({ benchmark, measuredBy, note }, at): PublishedValue[] => {
    const cell = cells[at] ?? null;
    if (cell === null) return [];
    const unit = benchmark === 'mt-bench' ? 1 : 100;
    const [value, error] = typeof cell === 'number' ? [cell, undefined] : cell;
    const standardError = error === undefined ? undefined : error / unit;
    return [{ model, benchmark, value: value / unit, standardError, measuredBy, source, note: seenBy(model, benchmark) ?? note }];
  });
}

function seenBy(model: string, benchmark: string): string | undefined {
  return benchmark === 'truthfulqa' && model.startsWith('Zephyr') ? SEEN : undefined;
}
