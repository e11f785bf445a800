import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Json } from '../../../base/canonical-json.ts';
import { counter, countsInWords } from '../../../base/counter.ts';
import { hmacUniform } from '../../../base/hmac-choice.ts';
import { openLineFile } from '../../../datasets/line-file.ts';
import { NearDuplicates } from '../../../datasets/near-duplicates.ts';
import { openSplit, placedRows } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task, TaskContext } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { PROMPTS_FILE, SOURCES_FILE, type SourceReport } from '../tables.ts';
import { readBenchmarks } from './benchmarks.ts';
import { promptsCard } from './card.ts';
import { type IncomingRow, PromptFilter } from './filter.ts';
import type { PromptStore, StoredPrompt } from './prompt-store.ts';
import type { PromptsConfig } from './step.ts';

/**
 * What the pool answers: read from all sources, checked, each prompt once, clean of benchmarks, sorted by id. The id is the
 * row's `prompt_id`, else sha256 of the text. Which prompts stay under a cap depends on seed and id alone. Everything that
 * was left out is counted by reason; nothing is spent before all of it was looked at.
 */
export const prompts: Task = async (context) => {
  // `promptsStep` wrote the config, so it has this shape
  const config = context.config as unknown as PromptsConfig;
  const benchmarks = await readBenchmarks(context, config.benchmarks, config.ngram);
  const filter = new PromptFilter(config, benchmarks, context.out);
  const { store, dropped } = filter;
  try {
    for (const entry of config.sources.keys()) for await (const row of rowsOf(context, config, entry)) filter.take(row);
    filter.close();
    const order = inIdOrder(store);
    const { alone, groups } = dropNear(config, store, order, context.out);
    if (config.near_duplicates === 'drop') dropped.add('near duplicate', order.length - alone.length);
    const left = config.near_duplicates === 'drop' ? alone : order;
    const drawn = draw(config, store, left);
    if (drawn.length < left.length) dropped.add('not drawn', left.length - drawn.length);
    if (drawn.length === 0) throw nothingLeft(dropped.counts());

    const kept = writePrompts(config, store, drawn, context.out);
    const sources = [...filter.bySource].map(([source, { entry, read }]): SourceReport => {
      const { name = '', licence = null, safety = false } = config.sources[entry] ?? {};
      return { source, from: name, licence, safety, read, prompts: kept[source] ?? 0 };
    });
    const metrics = {
      prompts: drawn.length,
      read: sources.reduce((sum, { read }) => sum + read, 0),
      dropped: dropped.counts(),
      near_duplicates: groups,
      contaminated: filter.contaminated(),
      by_source: kept,
    };
    const left_out = metrics.read - metrics.prompts;
    if (left_out > 0) context.note(`${left_out} of ${metrics.read} prompts are left out: ${countsInWords(metrics.dropped)}`);
    if (config.near_duplicates === 'report' && groups.others > 0)
      context.note(`${groups.others} prompts say almost the same as another; nearDuplicates: drop leaves them out`);
    await writeFile(join(context.out, SOURCES_FILE), `${JSON.stringify(sources, undefined, 2)}\n`);
    await writeFile(join(context.out, 'README.md'), promptsCard(config, sources, metrics));
    return { metrics: metrics as unknown as Record<string, Json>, costUsd: 0 };
  } finally {
    store.close();
  }
};

function nothingLeft(dropped: Readonly<Record<string, number>>): ZephyrError {
  const reasons = countsInWords(dropped);
  return reasons === ''
    ? new ZephyrError('Cannot go on without a prompt: the sources hold none', { hint: 'look at aif.prompts.sources' })
    : new ZephyrError('Cannot go on without a prompt: all were dropped', { hint: `dropped: ${reasons}` });
}

async function* rowsOf(context: TaskContext, config: PromptsConfig, entry: number): AsyncGenerator<IncomingRow> {
  const source = config.sources[entry] as PromptsConfig['sources'][number];
  for (const [index, item] of source.list.entries()) {
    const at = `item ${index + 1}`;
    if (typeof item === 'string') yield { entry, at, prompt: item };
    else if (item.malformed !== undefined) yield { entry, at, prompt: undefined, text: item.malformed };
    else yield { entry, at, prompt: item.prompt, prompt_id: item.prompt_id, source: item.source };
  }
  if (source.input === null) return;
  const { column } = source;
  const split = await openSplit(inputFolder(context, source.input), source);
  for await (const placed of placedRows(split, { columns: [column, 'prompt_id', 'source'], required: column })) {
    const { at, row } = placed;
    if (row === undefined) yield { entry, at, prompt: undefined, text: placed.text };
    else if (row[column] === undefined) yield { entry, at, prompt: undefined, columns: Object.keys(row) };
    else yield { entry, at, prompt: row[column], prompt_id: row.prompt_id, source: row.source };
  }
}

function inIdOrder({ all }: PromptStore): number[] {
  return [...all.keys()].sort((a, b) => ((all[a]?.prompt_id ?? '') < (all[b]?.prompt_id ?? '') ? -1 : 1));
}

/** Numbers of the prompts that are the first of their group, by id; every larger group is listed in `near-duplicates.jsonl`. */
function dropNear({ seed }: PromptsConfig, store: PromptStore, order: readonly number[], out: string) {
  const near = new NearDuplicates(seed);
  for (const number of store.all.keys()) near.add(store.textOf(number));
  const firsts = near.groups(order, (number) => store.textOf(number));
  const members = new Map<number, string[]>();
  for (const number of order) {
    const first = firsts[number] as number;
    if (first === number) continue;
    const others = members.get(first) ?? [];
    members.set(first, others);
    others.push(store.all[number]?.prompt_id ?? '');
  }
  const list = openLineFile(join(out, 'near-duplicates.jsonl'));
  for (const number of order)
    if (members.has(number)) list.add({ first: store.all[number]?.prompt_id ?? '', others: members.get(number) ?? [] });
  list.close();
  const others = [...members.values()].reduce((sum, ids) => sum + ids.length, 0);
  return { alone: order.filter((number) => firsts[number] === number), groups: { groups: members.size, others } };
}

/** Draws from each source the number of prompts that the recipe allows. */
function draw({ seed, sources }: PromptsConfig, { all }: PromptStore, left: readonly number[]): number[] {
  const kept = new Set<number>();
  for (const [entry, { rows }] of sources.entries()) {
    const own = left.filter((number) => all[number]?.entry === entry);
    const drawn =
      rows === null || own.length <= rows
        ? own
        : own
            .map((number) => ({ number, at: hmacUniform(seed, 'prompts', all[number]?.prompt_id ?? '') }))
            .sort((a, b) => a.at - b.at)
            .slice(0, rows)
            .map(({ number }) => number);
    for (const number of drawn) kept.add(number);
  }
  return left.filter((number) => kept.has(number));
}

/** Returns how many prompts each source gave. */
function writePrompts(config: PromptsConfig, store: PromptStore, drawn: readonly number[], out: string): Record<string, number> {
  const file = openLineFile(join(out, PROMPTS_FILE));
  const kept = counter();
  for (const number of drawn) {
    const { prompt_id, source, entry, copies } = store.all[number] as StoredPrompt;
    kept.add(source);
    const safety = config.sources[entry]?.safety ?? false;
    file.add({ prompt_id, prompt: store.textOf(number), source, safety, copies });
  }
  file.close();
  return kept.counts();
}
