import type { CallForecast, Step } from '../stages/stage.ts';
import type { TeacherSpec } from '../teachers/spec.ts';
import type { Price } from '../teachers/teacher.ts';
import { priceOf } from '../teachers/terms.ts';
import { countKey, type ItemCounts } from './count.ts';
import type { Decision } from './explain.ts';

/** What a step will ask of one teacher, over all purposes. Money in United States dollars; null where there is no price. */
export interface StepPrice {
  /** `STAGE/STEP`, or `STAGE/PART` for calls that a step makes before all others */
  readonly step: string;
  readonly teacher: string;
  /** null: how many items they are made for is known only when these are read */
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
  /** on top, for each 1,000 items of `of` (prompts), where how many there are is not known yet */
  readonly perThousand: { readonly of: string; readonly dollars: Estimate } | null;
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

/** As it is printed as JSON and saved with a plan: prompts have a member of their own, which readers of the JSON know. */
export function plainPrice({ rows, dollars, perThousand, unpriced, warnings }: PlanPrice) {
  const isPrompts = perThousand?.of === 'prompts';
  const others = perThousand === null || isPrompts ? {} : { perThousand };
  return { rows, dollars, perThousandPrompts: isPrompts ? perThousand.dollars : null, ...others, unpriced, warnings };
}

type Teachers = Readonly<Record<string, TeacherSpec>>;

/**
 * What the steps that have to run will cost, from the recipe alone: nothing is asked. Low and high are half and twice the
 * expected tokens, a reply being `maxTokens` at most and reasoning on top what the recipe says, half of it expected; calls
 * that an earlier run paid are not taken off.
 */
export function pricePlan(decisions: readonly Decision[], teachers: Teachers, counts: ItemCounts): PlanPrice {
  const parts = decisions.flatMap(({ step, action }) => (action === 'reuse' ? [] : partsOf(step, teachers)));
  const priced = parts.map((part) => ({ part, row: priceRow(part, counts) }));
  const open = priced.filter(({ row }) => row.calls === null).map(({ part }) => part);
  const ofThousand = open.map((part) => priceRow(part, { get: (key) => ({ count: counts.get(key)?.count ?? 1000 }) }).dollars);
  const unpriced = parts.filter(({ spec }) => pricesOf(spec) === undefined).map(({ teacher }) => teacher);
  return {
    rows: priced.map(({ row }) => row),
    dollars: sumOf(priced.map(({ row }) => row.dollars)),
    perThousand: open.length === 0 ? null : { of: openItems(open, counts), dollars: sumOf(ofThousand) },
    unpriced: [...new Set(unpriced)],
    warnings: [
      ...priced.flatMap(({ part, row }) => queueWarning(row, part.spec)),
      ...budgetWarnings(priced),
      ...[...counts.values()].flatMap(({ guess }) => guess ?? []),
    ],
  };
}

/** Calls of a step to one teacher. */
interface CallPart {
  readonly step: Step;
  /** see `StepPrice.step` */
  readonly name: string;
  readonly teacher: string;
  readonly spec: TeacherSpec;
  readonly forecasts: readonly CallForecast[];
}

/** A step's calls by teacher, those that are made before all others apart: they may be the last ones. */
function partsOf(step: Step, teachers: Teachers): CallPart[] {
  const parts = Map.groupBy(step.calls ?? [], ({ teacher, part = '' }) => `${part} ${teacher}`);
  return [...parts.values()].map((forecasts) => {
    const [{ teacher, part = step.name }] = forecasts as [CallForecast];
    const spec = teachers[teacher];
    const name = `${step.stage}/${part}`;
    if (spec === undefined) throw new Error(`Cannot price ${name}: no teacher "${teacher}"`);
    return { step, name, teacher, spec, forecasts };
  });
}

/** What has not been counted yet, in words: `prompts`. */
function openItems(open: readonly CallPart[], counts: ItemCounts): string {
  const names = open.flatMap(({ step, forecasts }) =>
    forecasts.flatMap(({ items }) =>
      typeof items === 'number' || counts.get(countKey(step.stage, items.count))?.count != null ? [] : [items.count],
    ),
  );
  return [...new Set(names)].join(' and ');
}

function budgetWarnings(priced: readonly { readonly part: CallPart; readonly row: StepPrice }[]): string[] {
  const capped = priced.filter(({ part }) => part.step.budgetUsd !== undefined);
  return [...Map.groupBy(capped, ({ part }) => part.step.stage)].flatMap(([stage, rows]) => {
    const cap = rows[0]?.part.step.budgetUsd as number;
    const { low, expected } = sumOf(rows.map(({ row }) => row.dollars));
    if (low > cap)
      return [`stage ${stage} will hardly end within its budget of $${cap}: even the low estimate is $${low.toFixed(2)}`];
    return expected > cap
      ? [`stage ${stage} will probably stop at its budget of $${cap}: $${expected.toFixed(2)} are expected`]
      : [];
  });
}

function sumOf(estimates: readonly (Estimate | null)[]): Estimate {
  const sum = (key: keyof Estimate) => estimates.reduce((total, estimate) => total + (estimate?.[key] ?? 0), 0);
  return { low: sum('low'), expected: sum('expected'), high: sum('high') };
}

function priceRow({ step, name, teacher, spec, forecasts }: CallPart, known: Pick<ItemCounts, 'get'>): StepPrice {
  const counts = forecasts.map(({ items, callsPerItem }) => {
    const count = typeof items === 'number' ? items : (known.get(countKey(step.stage, items.count))?.count ?? null);
    return count === null ? null : count * callsPerItem;
  });
  const calls = counts.includes(null) ? null : counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  const total = (tokens: (forecast: CallForecast) => number) =>
    forecasts.reduce((sum, forecast, index) => sum + (counts[index] ?? 0) * tokens(forecast), 0);
  const reasoning = spec.reasoningTokens ?? 0;
  const input = total((forecast) => forecast.inputTokens);
  const output = total((forecast) => Math.min(forecast.outputTokens, forecast.maxTokens) + reasoning / SPREAD);
  const longest = total((forecast) => Math.min(forecast.outputTokens * SPREAD, forecast.maxTokens) + reasoning);
  const row = { step: name, teacher, calls: calls === null ? null : Math.round(calls), inputTokens: input, outputTokens: output };
  if (calls === null) return { ...row, dollars: null, minutes: null, batchFiles: 0 };
  const price = pricesOf(spec);
  const cost = (read: number, written: number) => (price === undefined ? 0 : (read * price.input + written * price.output) / 1e6);
  const low = cost(input / SPREAD, output / SPREAD);
  const dollars = { low, expected: cost(input, output), high: cost(input * SPREAD, longest) };
  return {
    ...row,
    dollars: price === undefined ? null : dollars,
    minutes: spec.batch === undefined ? minutesAt(spec, calls, input + output) : null,
    batchFiles: spec.batch === undefined ? 0 : batchFiles(spec.batch, calls, input),
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
