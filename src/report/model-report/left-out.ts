import type { ReportFacts, ReportRun } from './facts.ts';

/** Rows, answers or items that a step left out for one reason. */
export interface LeftOut {
  readonly stage: string;
  readonly step: string;
  /** which of its data, in its own words */
  readonly of: string;
  readonly reason: string;
  readonly count: number;
  /** how many there were in all; null where the step does not say */
  readonly read: number | null;
}

/** Members of a step's metrics that count what is missing from its result, with what is counted. */
const COUNTERS: Readonly<Record<string, string>> = {
  dropped: 'rows',
  answers_left_out: 'answers',
  not_read: 'replies that could not be read',
};

/** What the steps left out and why: from the log of a run, which also says of how many, else from the manifest. */
export function leftOutOf({ artifacts, runs, evaluations }: Pick<ReportFacts, 'artifacts' | 'runs' | 'evaluations'>): LeftOut[] {
  const ofSteps = artifacts.flatMap(({ manifest }) => {
    if (manifest === undefined) return [];
    const { stage, step, metrics } = manifest;
    const logged = loggedDrops(
      runs.find(({ run }) => run === manifest.run),
      stage,
      step,
    );
    if (logged.length > 0) return logged;
    return Object.entries(COUNTERS).flatMap(([member, of]) => counted(metrics[member], { stage, step, of, read: null }));
  });
  const ofItems = evaluations.flatMap(({ evaluation: { suite, model, benchmarks } }) =>
    benchmarks.flatMap(({ title, n, dropped }) =>
      Object.entries(dropped).map(([reason, count]) => {
        const all = n + Object.values(dropped).reduce((sum, each) => sum + each, 0);
        return { stage: suite, step: title, of: `items of ${model.name}`, reason, count, read: all };
      }),
    ),
  );
  return [...ofSteps, ...ofItems];
}

function loggedDrops(run: ReportRun | undefined, stage: string, step: string): LeftOut[] {
  return (run?.lines ?? []).flatMap(({ event }) => {
    if (event.type !== 'job' || event.stage !== stage || event.step !== step || event.event.type !== 'dropped') return [];
    const { input, split, read, reasons } = event.event;
    return Object.entries(reasons).map(([reason, count]) => ({ stage, step, of: `${input}, ${split}`, reason, count, read }));
  });
}

/** Counts by reason, which a step may have nested by the name of an input. */
function counted(value: unknown, about: Omit<LeftOut, 'reason' | 'count'>): LeftOut[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([reason, count]) =>
    typeof count === 'number' ? (count > 0 ? [{ ...about, reason, count }] : []) : counted(count, { ...about, of: reason }),
  );
}

/** What steps said that is to be read when they are over as well. */
export function lastingNotes(runs: readonly ReportRun[]): { stage: string; step: string; message: string }[] {
  return runs.flatMap(({ lines }) =>
    lines.flatMap(({ event }) =>
      event.type === 'note' && event.lasting === true ? [{ stage: event.stage, step: event.step, message: event.message }] : [],
    ),
  );
}
