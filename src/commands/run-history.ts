import type { LogLine } from '../engine/event-log.ts';
import { formatRef } from '../model/artifact.ts';
import { plainLines } from '../render/plain.ts';
import { redactor } from '../render/redact.ts';
import type { Context, Options } from './context.ts';
import type { RunLook } from './look-at-run.ts';
import { knownSecrets } from './secrets.ts';

/** Lines of a run's past that a terminal is shown when it attaches. */
const SHOWN = 20;

/** Progress is of interest while it is made, and is no part of the past. */
const isStory = ({ level }: LogLine): boolean => level !== 'debug';

/** The newest lines of the log but for progress, as objects. */
export function newest({ lines }: RunLook): unknown[] {
  return lines
    .filter(isStory)
    .slice(-SHOWN)
    .map(({ text }) => JSON.parse(text));
}

/** The newest lines of the log in words, with day and time (UTC), and where the others are to be had. */
export function historyLines({ state, lines }: RunLook, most: number): string[] {
  const redact = redactor(knownSecrets);
  const words = plainLines({ dates: true });
  const all = lines.filter(isStory).flatMap(({ event, at }) => words(event, at));
  const more = `${all.length - most} lines before: zephyr logs ${formatRef({ ...state.repo, revision: state.run })} --events`;
  return (all.length > most ? [more, ...all.slice(-most)] : all).map(redact);
}

/**
 * Shows on an attached terminal what a look brings: first the end of the run's past, then what happens, whoever does it.
 * With `--json` the lines of the log are printed as they are.
 */
export function lookShower(context: Context, { json = false }: Options): (look: RunLook) => void {
  let isFirst = true;
  return (look) => {
    const { lines, events } = look;
    if (json) for (const line of lines.filter((each) => !isFirst || isStory(each))) process.stdout.write(`${line.text}\n`);
    else {
      if (isFirst) for (const line of historyLines(look, SHOWN)) context.renderer.print(line);
      for (const { event, at } of isFirst ? progressNow(look) : lines) context.emit(event, at);
    }
    for (const told of events) context.emit(told, told.event.t);
    isFirst = false;
  };
}

/** How far the step is that is at work, for a live view that begins now. */
function progressNow({ state, lines }: RunLook): readonly LogLine[] {
  const last = lines.at(-1)?.event;
  if (state.phase !== 'running' || last === undefined || !('step' in last)) return [];
  return lines.filter(({ level, event }) => level === 'debug' && 'step' in event && event.step === last.step).slice(-SHOWN);
}
