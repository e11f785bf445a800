import type { RunEvent } from '../model/event.ts';
import type { RunningStep } from './running-steps.ts';
import { runningSteps } from './running-steps.ts';
import { progressParts, transferParts, type Wording, wordingOf } from './wording.ts';

/** Seconds between two progress lines of a step, and the longest silence of a step that goes on within one tenth. */
const LEAST_GAP = 10;
const LONGEST_GAP = 60;
const MARKS: Partial<Record<Wording['mark'], string>> = { failed: 'FAILED ', warning: 'warning: ' };

/** Events to lines for a log file or a pipe: `12:03:04Z STAGE/STEP  text`, with `dates` also the day. `now` is in seconds. */
export function plainLines({ dates = false } = {}): (event: RunEvent, now: number) => string[] {
  const steps = runningSteps();
  const printed = new Map<string, Printed>();
  /** when a transfer was printed last */
  const moved = new Map<string, number>();

  function transferText(event: Extract<RunEvent, { type: 'transfer' }>, now: number): string[] {
    const key = `${event.stage}/${event.step} ${event.what}`;
    const isEnd = event.progress.done >= event.progress.total;
    if (!isEnd && now - (moved.get(key) ?? Number.NEGATIVE_INFINITY) < LEAST_GAP) return [];
    moved.set(key, now);
    return [Object.values(transferParts(event)).join('  ')];
  }

  function textsOf(event: RunEvent, wording: Wording | undefined, now: number): string[] {
    if (wording !== undefined) return [`${MARKS[wording.mark] ?? ''}${wording.text}`, ...wording.more];
    if (event.type === 'transfer') return transferText(event, now);
    const step = 'step' in event ? steps.get(event.stage, event.step) : undefined;
    return step !== undefined && isDue(printed, step, now) ? [progressText(step)] : [];
  }

  return (event, now) => {
    const wording = wordingOf(event, steps.about(event));
    steps.apply(event, now);
    const iso = new Date(now * 1000).toISOString();
    const time = `${dates ? `${iso.slice(0, 10)} ` : ''}${iso.slice(11, 19)}Z`;
    const where = 'step' in event ? `${event.stage}/${event.step}` : 'stage' in event ? event.stage : 'zephyr';
    return textsOf(event, wording, now).map((line) => `${time} ${where}  ${line}`);
  };
}

/** Whether an event that was read from a log has what is told of it: another version may have written it, or a hand. */
export function isTellable(event: RunEvent): boolean {
  try {
    return plainLines()(event, 0).every((line) => line !== '');
  } catch {
    return false;
  }
}

/** When a step's progress was printed last, and what it was. */
interface Printed {
  readonly at: number;
  readonly tenth: number;
  readonly isWaiting: boolean;
}

function isDue(printed: Map<string, Printed>, step: RunningStep, now: number): boolean {
  if (step.total <= 0) return false;
  const key = `${step.stage}/${step.step}`;
  const tenth = Math.floor((10 * step.done) / step.total);
  const isWaiting = step.calls?.teachers.some(({ waitsFor }) => waitsFor !== undefined) ?? false;
  const last = printed.get(key) ?? { at: step.since, tenth: 0, isWaiting: false };
  const gap = now - last.at;
  // The log says at once when a server goes away or comes back.
  if (isWaiting === last.isWaiting && (gap < LEAST_GAP || (tenth === last.tenth && gap < LONGEST_GAP))) return false;
  printed.set(key, { at: now, tenth, isWaiting });
  return true;
}

function progressText(step: RunningStep): string {
  const { percent, count, loss, accuracy, mfu, calls, cost, load, busy, waits, rate, eta } = progressParts(step);
  return [percent, count, loss, accuracy, mfu, calls, cost, load, busy, rate, eta, waits]
    .filter((part) => part !== '')
    .join('  ');
}
