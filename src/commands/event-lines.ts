import type { LogLine } from '../engine/event-log.ts';
import { formatRef } from '../model/artifact.ts';
import { plainLines } from '../render/plain.ts';
import { redactor } from '../render/redact.ts';
import type { Options } from './context.ts';
import type { RunLook } from './look-at-run.ts';
import { onSameHub } from './same-hub.ts';
import { knownSecrets } from './secrets.ts';

/** Lines of a run's past that a terminal is shown when it attaches. */
export const SHOWN = 20;

/** Progress is of interest while it is made, and is no part of the past. */
const isPast = ({ level }: LogLine): boolean => level !== 'debug';

/** The newest lines of the log but for progress, as objects. */
export function newest({ lines }: RunLook): unknown[] {
  const past = lines.filter(isPast).slice(-SHOWN);
  return past.map(({ text }) => JSON.parse(text));
}

/** The newest lines of the log in words, with day and time (UTC), and where the others are to be had. */
export function pastInWords({ state, lines }: RunLook, most: number): string[] {
  const words = plainLines({ dates: true });
  const all = lines.flatMap((line) => {
    const texts = words(line.event, line.at);
    return isPast(line) ? texts : [];
  });
  const earlier = all.length - most;
  const more = onSameHub(
    `${earlier} line${earlier === 1 ? '' : 's'} before: zephyr logs ${formatRef({ ...state.repo, revision: state.run })} --events`,
  );
  return (earlier > 0 ? [more, ...all.slice(-most)] : all).map(redactor(knownSecrets));
}

/** Prints every line of the log on stdout, in words or, with `--json`, as it is; says whether there was one so far. */
export function eventPrinter({ json = false }: Options): (look: RunLook | undefined) => Promise<boolean> {
  const redact = redactor(knownSecrets);
  const words = plainLines({ dates: true });
  let isAny = false;
  return async (look) => {
    const lines = look?.lines ?? [];
    isAny ||= lines.length > 0;
    const texts = json ? lines.map(({ text }) => text) : lines.flatMap(({ event, at }) => words(event, at));
    for (const text of texts) process.stdout.write(`${redact(text)}\n`);
    return isAny;
  };
}
