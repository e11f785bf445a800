import type { ReportFacts, ReportLine, ReportRun } from './facts.ts';

/** One metric over the steps of a training. */
export interface Curve {
  readonly metric: string;
  /** step and value, by step */
  readonly points: readonly (readonly [number, number])[];
}

/** Curves that share an axis. */
export interface CurvePanel {
  readonly title: string;
  readonly curves: readonly Curve[];
}

export interface TrainingCurves {
  readonly stage: string;
  readonly step: string;
  /** ID of the artifact that it made */
  readonly id: string;
  readonly maxSteps: number;
  /** the step from which each further attempt went on */
  readonly resumes: readonly number[];
  readonly panels: readonly CurvePanel[];
}

/** What belongs on one axis, by the metric's name without `eval_`; in the order in which it is shown. */
const PANELS: readonly (readonly [string, RegExp])[] = [
  ['Loss', /^loss$/],
  ['Learning rate', /^learning_rate$/],
  ['Rewards', /^(rewards\/(chosen|rejected)|reward|objective\/(rlhf_reward|scores))$/],
  ['Margin', /^(rewards\/margins|margin)$/],
  ['Accuracy', /^(rewards\/accuracies|accuracy|mean_token_accuracy)$/],
  ['Log-probabilities', /^logps\/(chosen|rejected)$/],
  ['KL divergence', /^(kl|objective\/kl)$/],
  ['Entropy', /^(entropy|objective\/entropy)$/],
  ['Gradient norm', /^grad_norm$/],
];

/** The curves of each step of the artifacts' runs that trained, which is told by a loss. */
export function trainingCurves({ artifacts, runs }: Pick<ReportFacts, 'artifacts' | 'runs'>): TrainingCurves[] {
  return artifacts.flatMap(({ id, manifest }) => {
    const run = runs.find((each) => each.run === manifest?.run);
    if (manifest === undefined || run === undefined) return [];
    const { stage, step } = manifest;
    const { byMetric, resumes, maxSteps } = foldProgress(run, stage, step);
    const panels = panelsOf(byMetric);
    return panels.some(({ title }) => title === 'Loss') ? [{ stage, step, id, maxSteps, resumes, panels }] : [];
  });
}

interface FoldedProgress {
  readonly byMetric: ReadonlyMap<string, ReadonlyMap<number, number>>;
  readonly resumes: readonly number[];
  readonly maxSteps: number;
}

function foldProgress({ lines }: ReportRun, stage: string, step: string): FoldedProgress {
  const byMetric = new Map<string, Map<number, number>>();
  const resumes: number[] = [];
  let [maxSteps, attempts] = [0, 0];
  for (const event of eventsOf(lines, stage, step)) {
    if (event.type === 'job-submitted') {
      attempts += 1;
      if (attempts > 1) resumes.push(event.resumedFromStep ?? 0);
      takeBack(byMetric, event.resumedFromStep ?? 0);
    } else if (event.type === 'job' && event.event.type === 'progress') {
      maxSteps = Math.max(maxSteps, event.event.max_steps);
      takeIn(byMetric, event.event.step, event.event.metrics ?? {});
    }
  }
  return { byMetric, resumes, maxSteps };
}

/** An attempt that goes on from a checkpoint takes back what the one before told of later steps. */
function takeBack(byMetric: ReadonlyMap<string, Map<number, number>>, from: number): void {
  for (const points of byMetric.values()) for (const at of points.keys()) if (at > from) points.delete(at);
}

function takeIn(byMetric: Map<string, Map<number, number>>, at: number, metrics: Readonly<Record<string, number>>): void {
  for (const [metric, value] of Object.entries(metrics)) {
    // JSON has no NaN: a value that is none is null in the log
    if (!Number.isFinite(value)) continue;
    const points = byMetric.get(metric) ?? new Map<number, number>();
    byMetric.set(metric, points.set(at, value));
  }
}

function eventsOf(lines: readonly ReportLine[], stage: string, step: string) {
  return lines.flatMap(({ event }) => ('step' in event && event.stage === stage && event.step === step ? [event] : []));
}

function panelsOf(byMetric: FoldedProgress['byMetric']): CurvePanel[] {
  return PANELS.flatMap(([title, pattern]) => {
    const fitting = [...byMetric].filter(([metric, points]) => points.size > 0 && pattern.test(metric.replace(/^eval_/, '')));
    const curves = fitting.map(([metric, points]) => ({ metric, points: [...points].sort(([a], [b]) => a - b) }));
    return curves.length === 0 ? [] : [{ title, curves }];
  });
}
