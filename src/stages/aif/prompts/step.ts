import { estimateTokens } from '../../../datasets/words.ts';
import { configOf, droppedOf } from '../../data-spec.ts';
import { taskStep } from '../../programs.ts';
import { datasetRepo, inputOf, type RecipeContext } from '../../recipe-context.ts';
import type { Step } from '../../stage.ts';
import { TOKENS } from '../../token-guesses.ts';
import { nameOf, type PromptSource, type PromptsSpec } from './spec.ts';

/** Task `prompts`: reads the inputs `source-N` and `benchmark-N`, writes `prompts.jsonl`. */
export type PromptsConfig = {
  readonly version: 2;
  readonly seed: number;
  readonly sources: readonly {
    readonly name: string;
    /** null: what is listed here */
    readonly input: string | null;
    readonly config?: string;
    readonly split: string;
    readonly column: string;
    /** texts, or the members of one: `prompt`, `prompt_id` and `source`, or `malformed` */
    readonly list: readonly (string | Readonly<Record<string, string>>)[];
    readonly rows: number | null;
    readonly licence: string | null;
    readonly safety: boolean;
  }[];
  readonly max_characters: number;
  readonly max_tokens: number;
  readonly near_duplicates: PromptsSpec['nearDuplicates'];
  readonly benchmarks: readonly {
    readonly name: string;
    readonly input: string;
    readonly config?: string;
    readonly split: string | null;
    readonly column: string | null;
  }[];
  readonly ngram: number;
  readonly contaminated: PromptsSpec['contaminated'];
  readonly drop_sources: readonly string[];
  readonly skip_invalid: boolean;
  readonly max_dropped?: number;
};

export function promptsStep(recipe: RecipeContext, prompts: PromptsSpec): Step {
  const config: PromptsConfig = {
    version: 2,
    seed: recipe.seed,
    sources: prompts.sources.map((source, index) => ({
      name: nameOf(source),
      input: source.ref === undefined ? null : `source-${index + 1}`,
      ...configOf(source),
      split: source.split,
      column: source.column,
      list: source.list.map(plain),
      rows: source.rows,
      licence: source.licence ?? null,
      safety: source.safety,
    })),
    max_characters: prompts.maxCharacters,
    max_tokens: prompts.maxTokens,
    near_duplicates: prompts.nearDuplicates,
    benchmarks: prompts.decontaminate.map((benchmark, index) => ({
      name: nameOf(benchmark),
      input: `benchmark-${index + 1}`,
      ...configOf(benchmark),
      split: benchmark.split ?? null,
      column: benchmark.column ?? null,
    })),
    ngram: prompts.ngram,
    contaminated: prompts.contaminated,
    drop_sources: prompts.dropSources,
    skip_invalid: prompts.skipInvalid,
    ...droppedOf(prompts),
  };
  const refs = prompts.sources.flatMap(({ ref }, index) => (ref === undefined ? [] : [[`source-${index + 1}`, inputOf(ref)]]));
  const benchmarks = prompts.decontaminate.map(({ ref }, index) => [`benchmark-${index + 1}`, inputOf(ref)]);
  const most = promptsAtMost(prompts);
  return taskStep('prompts', {
    stage: 'aif',
    name: 'prompts',
    summary: `${most === null ? 'all prompts' : `at most ${most} prompts`} of ${config.sources.map(({ name }) => name).join(', ')}`,
    inputs: Object.fromEntries([...refs, ...benchmarks]),
    config,
    reads: [...config.sources, ...config.benchmarks].flatMap(({ input, config: name, split }) =>
      input === null ? [] : [{ input, ...configOf({ config: name }), splits: split === null ? ('all' as const) : [split] }],
    ),
    output: datasetRepo(recipe, 'prompts'),
  });
}

/** The number of prompts at most, as the recipe tells it before they are read; null when a source does not say. */
export function promptsAtMost({ sources }: PromptsSpec): number | null {
  const most = sources.map(({ ref, rows, list }) => (ref === undefined ? Math.min(rows ?? list.length, list.length) : rows));
  return most.includes(null) ? null : most.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

/** Tokens of a prompt in the mean: of those that are listed here by their text, of others a guess. */
export function promptTokens(prompts: PromptsSpec): number {
  let [count, tokens] = [0, 0];
  for (const source of prompts.sources) {
    const most = promptsAtMost({ ...prompts, sources: [source] });
    if (most === null) return TOKENS.instruction;
    count += most;
    tokens += most * (source.ref === undefined ? listedTokens(source.list, prompts) : TOKENS.instruction);
  }
  return tokens / Math.max(1, count);
}

/** Tokens of the listed prompts that are not dropped for their length. */
function listedTokens(list: PromptSource['list'], { maxCharacters, maxTokens }: PromptsSpec): number {
  const texts = list.flatMap((item) => (typeof item === 'string' ? [item] : 'prompt' in item ? [item.prompt] : []));
  const tokens = texts.filter(({ length }) => length <= maxCharacters).map(estimateTokens);
  const kept = tokens.filter((count) => count <= maxTokens);
  return kept.reduce((sum, count) => sum + count, 0) / Math.max(1, kept.length);
}

function plain(item: PromptSource['list'][number]): string | Record<string, string> {
  if (typeof item === 'string') return item;
  return Object.fromEntries(Object.entries(item).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}
