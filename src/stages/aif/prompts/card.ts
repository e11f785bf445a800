import { datasetCard, markdownTable } from '../../../datasets/card.ts';
import { PROMPTS_FILE, type SourceReport } from '../tables.ts';
import type { PromptsConfig } from './step.ts';

interface PromptFindings {
  readonly read: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly near_duplicates: { readonly groups: number; readonly others: number };
  readonly contaminated: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** The card of the prompts: where they come from, under which licence, what was left out and why. */
export function promptsCard(config: PromptsConfig, sources: readonly SourceReport[], findings: PromptFindings): string {
  const { read, dropped, near_duplicates, contaminated } = findings;
  const hits = Object.entries(contaminated).flatMap(([source, counts]) =>
    Object.entries(counts).map(([benchmark, count]) => [source, benchmark, count]),
  );
  const droppedSources = config.drop_sources.filter((name) => `source ${name}` in dropped);
  const text = [
    'What the pool of models answers.',
    markdownTable(
      ['source', 'from', 'licence', 'read', 'prompts'],
      sources.map((each) => [each.source, each.from, each.licence ?? 'not given', each.read, each.prompts]),
    ),
    Object.keys(dropped).length === 0
      ? `All ${read} rows were kept.`
      : `Left out of ${read} rows:\n\n${markdownTable(['reason', 'rows'], Object.entries(dropped))}`,
    droppedSources.includes('truthful_qa')
      ? 'Prompts of the source truthful_qa were left out: UltraFeedback took all 811 of them from the benchmark TruthfulQA, and a model that is trained on feedback to them cannot be measured on it.'
      : '',
    config.benchmarks.length === 0
      ? 'They were compared with no benchmark.'
      : `Compared with ${config.benchmarks.map(({ name }) => name).join(', ')}: ${config.ngram} words in a row, or a whole shorter item, count as a hit. Prompts with one were ${config.contaminated === 'drop' ? 'left out' : 'kept'}, because a model that was trained on a benchmark cannot be measured on it; contamination.jsonl names each.`,
    hits.length === 0 ? '' : markdownTable(['source', 'benchmark', 'prompts'], hits),
    near_duplicates.groups === 0
      ? ''
      : `${near_duplicates.others} prompts are nearly the same as one of ${near_duplicates.groups} others (near-duplicates.jsonl) and were ${config.near_duplicates === 'drop' ? 'left out' : 'kept'}.`,
  ];
  const about = text.filter((each) => each !== '').join('\n\n');
  return datasetCard('Prompts', about, { default: { train: PROMPTS_FILE } });
}
