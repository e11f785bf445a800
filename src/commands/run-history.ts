import type { LogLine } from '../engine/event-log.ts';
import type { Context } from './context.ts';
import { newest, pastInWords, SHOWN } from './event-lines.ts';
import type { RunLook } from './look-at-run.ts';

/** Shows on an attached terminal what a look brings: first the end of the run's past, then what happens, in this process or in another. */
export function lookShower(context: Context): (look: RunLook) => void {
  let isFirst = true;
  return (look) => {
    if (isFirst) showPast(context, look);
    for (const { event, at } of isFirst ? progressNow(look) : look.lines) context.emit(event, at);
    for (const told of look.events) context.emit(told, told.event.t);
    isFirst = false;
  };
}

/** How far the step is that is at work, for a live view that begins now. */
function progressNow({ state, lines }: RunLook): readonly LogLine[] {
  const last = lines.at(-1)?.event;
  if (state.phase !== 'running' || last === undefined || !('step' in last)) return [];
  return lines.filter(({ level, event }) => level === 'debug' && 'step' in event && event.step === last.step).slice(-SHOWN);
}

function showPast({ renderer }: Context, look: RunLook): void {
  if (look.lines.length > 0) renderer.showPast(pastInWords(look, SHOWN), newest(look));
}

/** Shows the end of the run's past once this command owns the run: one that is refused has nothing to do with it. */
export function showPastOnceOwned(context: Context, past: RunLook): void {
  let isShown = false;
  context.listeners.push(({ type }) => {
    if (type !== 'stage-started' || isShown) return;
    isShown = true;
    showPast(context, past);
  });
}
