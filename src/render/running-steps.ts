import type { CallsProgress, RunEvent } from '../model/event.ts';
import type { JobEvent } from '../model/job.ts';

export type TransferEvent = Extract<RunEvent, { type: 'transfer' }>;

/** What is known of a step that runs, from its events so far. Times in seconds. */
export interface RunningStep {
  readonly stage: string;
  readonly step: string;
  readonly since: number;
  readonly unit: 'steps' | 'calls';
  readonly done: number;
  readonly total: number;
  /** units a second since the first report; undefined until there are two */
  readonly rate: number | undefined;
  /** training loss, oldest first */
  readonly losses: readonly number[];
  /** share of pairs whose chosen answer the model prefers (dDPO) */
  readonly accuracy: number | undefined;
  /** share of what the devices can compute, from 0 to 1; only on devices whose peak is known */
  readonly mfu: number | undefined;
  readonly calls: CallsProgress | undefined;
  /** the last thing it said */
  readonly note: string | undefined;
  /** files of it that are on their way to or from the Hub */
  readonly transfer: TransferEvent | undefined;
  /** what the rate is measured from */
  readonly origin: { readonly at: number; readonly done: number } | undefined;
}

export interface RunningSteps {
  /** Takes an event in; `now` in seconds. */
  readonly apply: (event: RunEvent, now: number) => void;
  readonly get: (stage: string, step: string) => RunningStep | undefined;
  readonly all: () => readonly RunningStep[];
  /** The step that an event is about; of a whole stage the last one that asked teachers. */
  readonly about: (event: RunEvent) => RunningStep | undefined;
}

/** Follows the steps that run at the moment: the shared memory of the renderers. */
export function runningSteps(): RunningSteps {
  const steps = new Map<string, RunningStep>();
  const asked = new Map<string, RunningStep>();
  const keyOf = (stage: string, step: string) => `${stage}/${step}`;
  const change = (event: { stage: string; step: string }, now: number, update: (step: RunningStep) => Partial<RunningStep>) => {
    const key = keyOf(event.stage, event.step);
    const before = steps.get(key) ?? fresh(event.stage, event.step, now);
    const after = { ...before, ...update(before) };
    steps.set(key, after);
    if (after.calls !== undefined) asked.set(event.stage, after);
  };
  return {
    apply: (event, now) => {
      switch (event.type) {
        case 'session-started':
        case 'session-ended':
          return steps.clear();
        case 'step-started':
          return void steps.set(keyOf(event.stage, event.step), fresh(event.stage, event.step, now));
        case 'job':
          return change(event, now, (step) => afterJobEvent(step, event.event));
        case 'calls':
          return change(event, now, (step) => afterCalls(step, event.progress, now));
        case 'transfer':
          return change(event, now, () => ({ transfer: isMoved(event) ? undefined : event }));
        case 'checkpoint':
        case 'job-submitted':
          return change(event, now, () => ({ transfer: undefined }));
        case 'note':
          return change(event, now, () => ({ note: event.message, transfer: undefined }));
        case 'job-state':
          return change(event, now, () => ({ note: event.why === null ? event.state : `${event.state}: ${event.why}` }));
        case 'step-done':
        case 'step-reused':
          return void steps.delete(keyOf(event.stage, event.step));
        case 'stage-done':
        case 'stage-failed':
          for (const [key, step] of steps) if (step.stage === event.stage) steps.delete(key);
      }
    },
    get: (stage, step) => steps.get(keyOf(stage, step)),
    all: () => [...steps.values()],
    about: (event) =>
      'step' in event ? steps.get(keyOf(event.stage, event.step)) : 'stage' in event ? asked.get(event.stage) : undefined,
  };
}

function isMoved({ progress }: TransferEvent): boolean {
  return progress.done >= progress.total;
}

function fresh(stage: string, step: string, now: number): RunningStep {
  return {
    stage,
    step,
    since: now,
    unit: 'steps',
    done: 0,
    total: 0,
    rate: undefined,
    losses: [],
    accuracy: undefined,
    mfu: undefined,
    calls: undefined,
    note: undefined,
    transfer: undefined,
    origin: undefined,
  };
}

function afterJobEvent(step: RunningStep, event: JobEvent): Partial<RunningStep> {
  if (event.type === 'note') return { note: event.message };
  if (event.type !== 'progress') return {};
  const loss = event.metrics?.loss;
  const accuracy = event.metrics?.['rewards/accuracies'];
  return {
    // the job's clock, so that events read again after a reconnection count for when they happened
    ...pace(step, event.step, event.max_steps, event.t),
    losses: loss === undefined ? step.losses : [...step.losses, loss],
    accuracy: accuracy ?? step.accuracy,
    mfu: event.metrics?.mfu ?? step.mfu,
  };
}

function afterCalls(step: RunningStep, calls: CallsProgress, now: number): Partial<RunningStep> {
  const paid = calls.done - calls.replayed;
  const { rate, origin } = pace(step, paid, calls.total, now);
  return { unit: 'calls', done: calls.done, total: calls.total, calls, rate, origin };
}

function pace(
  step: RunningStep,
  done: number,
  total: number,
  at: number,
): Pick<RunningStep, 'done' | 'total' | 'rate' | 'origin'> {
  const isRestart = step.origin === undefined || done < step.origin.done;
  const origin = isRestart ? { at, done } : (step.origin ?? { at, done });
  const rate = at > origin.at && done > origin.done ? (done - origin.done) / (at - origin.at) : undefined;
  return { done, total, rate, origin };
}
