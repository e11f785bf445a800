import type { TrackLine } from '../backends/tracking.ts';
import type { Emit } from '../model/event.ts';
import type { JobEvent } from '../model/job.ts';
import type { Step } from '../stages/stage.ts';

/** What runs of these steps measure is told of. */
export interface TrackedWork {
  /** the name of the recipe */
  readonly project: string;
  readonly steps: readonly Step[];
}

/** Turns the events of runs into lines: a training by its steps, and what a stage's last step found. */
export function trackerOf({ project, steps }: TrackedWork, write: (line: TrackLine) => void): Emit {
  const runs = new Map<string, string>();
  /** by key, the last step that was told of */
  const reached = new Map<string, number>();

  /** The key of a step in the run of its stage, opened where it is not yet. */
  const opened = ({ stage, step: name }: MeasuredStep): string | undefined => {
    const run = runs.get(stage);
    const step = steps.find((each) => each.stage === stage && each.name === name);
    if (run === undefined || step === undefined) return undefined;
    const key = keyOf(run, name);
    if (!reached.has(key)) write({ type: 'open', key, project, name: `${stage}/${name}`, group: run, config: step.config });
    if (!reached.has(key)) reached.set(key, 0);
    return key;
  };

  const progressed = (place: MeasuredStep, event: JobEvent): void => {
    if (event.type !== 'progress' || !isTraining(steps, place) || event.metrics === undefined) return;
    const key = opened(place);
    if (key === undefined) return;
    write({ type: 'log', key, step: event.step, time: event.t, metrics: event.metrics });
    reached.set(key, event.step);
  };

  const done = (place: MeasuredStep, metrics: unknown): void => {
    const isLast = steps.filter(({ stage }) => stage === place.stage).at(-1)?.name === place.step;
    const key = isLast || isTraining(steps, place) ? opened(place) : undefined;
    if (key === undefined) return;
    write({ type: 'log', key, step: (reached.get(key) ?? 0) + 1, metrics: numbersIn({ final: metrics }) });
    write({ type: 'close', key, ok: true });
  };

  return (event) => {
    if (event.type === 'stage-started') runs.set(event.stage, event.run);
    if (event.type === 'job') progressed(event, event.event);
    if (event.type === 'step-done') done(event, event.metrics);
    if (event.type === 'stage-failed' && reached.has(keyOf(event.run, event.step)))
      write({ type: 'close', key: keyOf(event.run, event.step), ok: false });
  };
}

/** `run-<ulid>-STEP`: a run's ID without its repo, which packages would take for folders. */
const keyOf = (run: string, step: string) => `${run.slice(run.lastIndexOf('@') + 1)}-${step}`;

interface MeasuredStep {
  readonly stage: string;
  readonly step: string;
}

function isTraining(steps: readonly Step[], { stage, step: name }: MeasuredStep): boolean {
  const work = steps.find((step) => step.stage === stage && step.name === name)?.work;
  return work?.kind === 'job' && work.training !== undefined;
}

/** Every number in nested metrics, by its path with "/"; one of a list by its place. */
function numbersIn(value: unknown, path = ''): Record<string, number> {
  if (typeof value === 'number') return { [path]: value };
  if (typeof value !== 'object' || value === null) return {};
  return Object.assign(
    {},
    ...Object.entries(value).map(([key, inner]) => numbersIn(inner, path === '' ? key : `${path}/${key}`)),
  );
}
