import type { EvaluationItem } from '../model/evaluation.ts';
import { krippendorff } from './agreement.ts';
import { meanOf } from './verdict.ts';

/** One judge on all items that it was asked about. */
export interface RepeatedJudge {
  readonly judge: string;
  /** mean score of each time that it was asked, over the items that it scored every time */
  readonly passes: readonly number[];
  /** the greatest less the least of them; null where it was asked once */
  readonly spread: number | null;
  /** share of the items that it gave the same score every time; null where it was asked once */
  readonly same: number | null;
  /** items that it scored every time */
  readonly items: number;
}

export interface JudgesReport {
  readonly judges: readonly RepeatedJudge[];
  /** Krippendorff's alpha (interval) of the judges' means by item: 1 for full agreement, 0 for chance; null for one judge */
  readonly alpha: number | null;
}

/** How far judges agree with themselves, from pass to pass, and with one another; `undefined` where no judge scored anything. */
export function judgesReport(items: readonly EvaluationItem[]): JudgesReport | undefined {
  const names = [...new Set(items.flatMap(({ judged = [] }) => judged.map(({ judge }) => judge)))].sort();
  if (names.length === 0) return undefined;
  const alpha = krippendorff();
  for (const { judged = [] } of items)
    alpha.add(names.flatMap((name) => meanOf(judged.flatMap(({ judge, score }) => (judge === name ? (score ?? []) : []))) ?? []));
  return {
    judges: names.map((judge) => reportOf(judge, items)),
    alpha: names.length === 1 ? null : alpha.alpha(),
  };
}

function reportOf(name: string, items: readonly EvaluationItem[]): RepeatedJudge {
  const rows = items.map(({ judged = [] }) => judged.filter(({ judge }) => judge === name).sort((a, b) => a.pass - b.pass));
  const times = Math.max(...rows.map((row) => row.length));
  const whole = rows.map((row) => row.flatMap(({ score }) => score ?? [])).filter((scores) => scores.length === times);
  const passes = Array.from({ length: times }, (_, at) => meanOf(whole.map((scores) => scores[at] as number)) ?? Number.NaN);
  const isRepeated = times > 1 && whole.length > 0;
  return {
    judge: name,
    passes: whole.length === 0 ? [] : passes,
    spread: isRepeated ? Math.max(...passes) - Math.min(...passes) : null,
    same: isRepeated ? whole.filter((scores) => new Set(scores).size === 1).length / whole.length : null,
    items: whole.length,
  };
}
