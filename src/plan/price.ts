import type { Pairs } from '../stages/aif/judge/count-pairs.ts';
import type { CallForecast, Step } from '../stages/stage.ts';
import type { TeacherSpec } from '../teachers/spec.ts';
import type { Price } from '../teachers/teacher.ts';
import { priceOf } from '../teachers/terms.ts';
import type { Fate } from './explain.ts';

/** What a step will ask of one teacher, over all purposes. Money in United States dollars; null where there is no price. */
export interface StepPrice {
  /** `aif/judge`; `aif/calibration` are the calls of the judge step that come before all others */
  readonly step: string;
  readonly teacher: string;
  /** null: how many prompts there are is known only when they are read */
  readonly calls: number | null;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly dollars: Estimate | null;
  /** at the limits that the recipe gives; null without limits and for batches */
  readonly minutes: number | null;
  /** files of the Batch API; 0 for live calls */
  readonly batchFiles: number;
}

export interface Estimate {
  readonly low: number;
  readonly expected: number;
  readonly high: number;
}

export interface PlanPrice {
  readonly rows: readonly StepPrice[];
  readonly dollars: Estimate;
  /** on top, for each 1,000 prompts, where nobody knows yet how many there are; null where everybody does */
  readonly perThousandPrompts: Estimate | null;
  /** teachers without a price that will be asked */
  readonly unpriced: readonly string[];
  /** what the user should know before anything is spent */
  readonly warnings: readonly string[];
}

/** How far a text's length is off, either way, from what is expected of it, when all lengths are guessed. */
const SPREAD = 2;
/** JSON around a request in a batch file, and a token's text, in bytes. */
const LINE_BYTES = 400;
const TOKEN_BYTES = 4;

/** How many items there are of what the recipe does not count. */
export interface Counted {
  /** null: nobody has read them yet */
  readonly prompts: number | null;
  readonly pairs: Pairs | null;
}

/**
 * What the steps that have to run will cost, from the recipe alone: nothing is asked. Low and high are half and twice the
 * expected tokens, a reply being `maxTokens` at most and reasoning on top what the recipe says, half of it expected; calls that an earlier run paid are not taken off.
 */
export function pricePlan(fates: readonly Fate[], teachers: Readonly<Record<string, TeacherSpec>>, counted: Counted): PlanPrice {
  const rows: StepPrice[] = [];
  const warnings: string[] = [];
  const unpriced = new Set<string>();
  const dollars = { low: 0, expected: 0, high: 0 };
  const perThousandPrompts = { low: 0, expected: 0, high: 0 };
  let isOpen = false;
  const byBudget = new Map<string, { cap: number; low: number; expected: number }>();
  for (const { step, fate } of fates) {
    if (fate === 'reuse' || step.calls === undefined) continue;
    for (const { name, id, forecasts } of partsOf(step, step.calls)) {
      const spec = teachers[id];
      if (spec === undefined) throw new Error(`Cannot price ${name}: no teacher "${id}"`);
      const row = priceRow(name, id, spec, forecasts, counted);
      rows.push(row);
      warnings.push(...queueWarning(row, spec));
      if (pricesOf(spec) === undefined) unpriced.add(id);
      if (row.dollars !== null) add(dollars, row.dollars);
      if (row.calls === null) {
        isOpen = true;
        add(perThousandPrompts, priceRow(name, id, spec, forecasts, { ...counted, prompts: 1000 }).dollars);
      }
      if (step.budgetUsd === undefined) continue;
      const spent = byBudget.get(step.stage) ?? { cap: step.budgetUsd, low: 0, expected: 0 };
      byBudget.set(step.stage, {
        cap: spent.cap,
        low: spent.low + (row.dollars?.low ?? 0),
        expected: spent.expected + (row.dollars?.expected ?? 0),
      });
    }
  }
  for (const [stage, { cap, low, expected }] of byBudget) {
    if (low > cap)
      warnings.push(`stage ${stage} will hardly end within its budget of $${cap}: even the low estimate is $${low.toFixed(2)}`);
    else if (expected > cap)
      warnings.push(`stage ${stage} will probably stop at its budget of $${cap}: $${expected.toFixed(2)} are expected`);
  }
  if (counted.pairs?.guess !== undefined) warnings.push(counted.pairs.guess);
  return { rows, dollars, perThousandPrompts: isOpen ? perThousandPrompts : null, unpriced: [...unpriced], warnings };
}

/** A step's calls by teacher, those of the calibration apart: they are made before all others, and may be the last ones. */
function partsOf({ stage, name }: Step, calls: readonly CallForecast[]) {
  const parts = Map.groupBy(calls, ({ teacher, items }) => `${items === 'pairs' ? 'calibration' : ''} ${teacher}`);
  return [...parts.values()].map((forecasts) => {
    const [{ teacher: id, items }] = forecasts as [CallForecast];
    return { name: `${stage}/${items === 'pairs' ? 'calibration' : name}`, id, forecasts };
  });
}

function add(sum: { low: number; expected: number; high: number }, more: Estimate | null): void {
  if (more !== null) for (const key of ['low', 'expected', 'high'] as const) sum[key] += more[key];
}

function priceRow(
  step: string,
  teacher: string,
  spec: TeacherSpec,
  forecasts: readonly CallForecast[],
  { prompts, pairs }: Counted,
): StepPrice {
  const counts = forecasts.map(({ items, callsPerItem }) => {
    const known = items === 'prompts' ? prompts : items === 'pairs' ? (pairs?.count ?? 0) : items;
    return known === null ? null : known * callsPerItem;
  });
  const calls = counts.reduce<number | null>((sum, count) => (sum === null || count === null ? null : sum + count), 0);
  const total = (tokens: (forecast: CallForecast) => number) =>
    forecasts.reduce((sum, forecast, index) => sum + (counts[index] ?? 0) * tokens(forecast), 0);
  const inputTokens = total((forecast) => forecast.inputTokens);
  const reasoning = spec.reasoningTokens ?? 0;
  const outputTokens = total((forecast) => Math.min(forecast.outputTokens, forecast.maxTokens) + reasoning / SPREAD);
  const price = pricesOf(spec);
  const cost = (input: number, output: number) => (price === undefined ? 0 : (input * price.input + output * price.output) / 1e6);
  return {
    step,
    teacher,
    calls: calls === null ? null : Math.round(calls),
    inputTokens,
    outputTokens,
    dollars:
      price === undefined || calls === null
        ? null
        : {
            low: cost(inputTokens / SPREAD, outputTokens / SPREAD),
            expected: cost(inputTokens, outputTokens),
            high: cost(
              inputTokens * SPREAD,
              total((forecast) => Math.min(forecast.outputTokens * SPREAD, forecast.maxTokens) + reasoning),
            ),
          },
    minutes: spec.batch !== undefined || calls === null ? null : minutesAt(spec, calls, inputTokens + outputTokens),
    batchFiles: spec.batch === undefined || calls === null ? 0 : batchFiles(spec.batch, calls, inputTokens),
  };
}

/** As the run will count: a batch costs its part. */
function pricesOf(spec: TeacherSpec): Pick<Price, 'input' | 'output'> | undefined {
  const price = priceOf(spec);
  if (price === undefined || spec.batch === undefined) return price;
  return { input: price.input * price.batch, output: price.output * price.batch };
}

function minutesAt({ limits }: TeacherSpec, calls: number, tokens: number): number | null {
  const times = [
    ...(limits.requestsPerMinute === undefined ? [] : [calls / limits.requestsPerMinute]),
    ...(limits.tokensPerMinute === undefined ? [] : [tokens / limits.tokensPerMinute]),
  ];
  return times.length === 0 ? null : Math.max(...times);
}

function batchFiles(batch: NonNullable<TeacherSpec['batch']>, calls: number, inputTokens: number): number {
  const bytes = calls * LINE_BYTES + inputTokens * TOKEN_BYTES;
  return Math.ceil(Math.max(calls / batch.requests, bytes / (batch.megabytes * 1e6)));
}

function queueWarning(row: StepPrice, spec: TeacherSpec): string[] {
  const queue = spec.batch?.queuedTokens;
  if (queue === undefined || row.batchFiles === 0 || row.inputTokens <= queue) return [];
  const times = Math.ceil(row.inputTokens / queue);
  return [`the batches of teacher ${row.teacher} go one after another: ${times} times its queue of ${queue} tokens`];
}
