import { canonicalJson } from '../base/canonical-json.ts';
import type { ScoredBenchmark } from '../model/evaluation.ts';

/** Why two values of one benchmark must not be subtracted: the first field in which they were measured otherwise. */
export interface Otherwise {
  /** `metric`, or a path in the protocol such as `judge.model` */
  readonly field: string;
  /** what each of them has there; `nothing` where it has no such field */
  readonly values: readonly [string, string];
}

/** `undefined` where both were measured in the same way. */
export function measuredOtherwise(one: ScoredBenchmark, other: ScoredBenchmark): Otherwise | undefined {
  return firstDifference('', measure(one), measure(other));
}

function measure({ metric, scale, protocol }: ScoredBenchmark): Readonly<Record<string, unknown>> {
  return { metric, scale: `${scale[0]} to ${scale[1]}`, ...protocol };
}

function firstDifference(field: string, one: unknown, other: unknown): Otherwise | undefined {
  if (canonicalJson(one) === canonicalJson(other)) return undefined;
  if (isRecord(one) && isRecord(other)) {
    for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
      const found = firstDifference(field === '' ? key : `${field}.${key}`, one[key], other[key]);
      if (found !== undefined) return found;
    }
  }
  return { field, values: [shown(one), shown(other)] };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
}
