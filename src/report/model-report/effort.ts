import { byEnd, type ReportArtifact, type ReportFacts, type ReportRun } from './facts.ts';

/** Time and money that a step took. */
export interface StepEffort {
  readonly stage: string;
  readonly step: string;
  readonly id: string;
  /** where its jobs ran, or this process for a task */
  readonly where: string;
  /** seconds that its attempts took together; null where neither manifest nor log tells */
  readonly seconds: number | null;
  readonly costUsd: number;
  /** jobs that were started; 0 for a task */
  readonly attempts: number;
  /** how attempts ended that did not succeed */
  readonly setbacks: readonly string[];
}

/** By step, in the order of the lineage; what zephyr did not make took nothing. */
export function effortOf({ artifacts, runs }: Pick<ReportFacts, 'artifacts' | 'runs'>): StepEffort[] {
  return artifacts.flatMap((artifact) => {
    const { manifest, id } = artifact;
    if (manifest === undefined) return [];
    const { stage, step, attempts, costUsd } = manifest;
    const run = runs.find((each) => each.run === manifest.run);
    return [
      {
        stage,
        step,
        id,
        where: [...new Set(attempts.map(({ backend }) => backend))].join(', ') || 'zephyr',
        seconds: attemptSeconds(artifact) ?? loggedSeconds(run, stage, step),
        costUsd,
        attempts: attempts.length,
        setbacks: attempts.flatMap(({ end }) => (end === undefined || end === 'done' ? [] : [end])),
      },
    ];
  });
}

function attemptSeconds({ manifest }: ReportArtifact): number | null {
  const ended = (manifest?.attempts ?? []).filter(({ endedAt }) => endedAt !== undefined);
  if (ended.length === 0) return null;
  return ended.reduce((sum, { startedAt, endedAt = startedAt }) => sum + (Date.parse(endedAt) - Date.parse(startedAt)) / 1000, 0);
}

function loggedSeconds(run: ReportRun | undefined, stage: string, step: string): number | null {
  for (const { event } of run?.lines ?? [])
    if (event.type === 'step-done' && event.stage === stage && event.step === step) return event.seconds;
  return null;
}

/** Sums by stage, in the order in which stages ended. */
export function byStage(efforts: readonly StepEffort[]): { stage: string; seconds: number; costUsd: number; steps: number }[] {
  return byEnd(efforts, ({ stage }) => stage).map(([stage, steps]) => ({
    stage,
    seconds: steps.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0),
    costUsd: steps.reduce((sum, { costUsd }) => sum + costUsd, 0),
    steps: steps.length,
  }));
}
