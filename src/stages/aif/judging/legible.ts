import type { Reading } from './reading.ts';

/** So many replies of a judge without one that can be read, and going on is taken to make no sense. */
export const TRIED = 16;

/** Whether judges reply in a way that can be read at all, each by its seat. */
export interface Legible {
  /** What became of a sheet; of one that brought no reply the call engine keeps count. */
  heard(seat: number, reading: Reading<unknown>): void;
  /** Nothing that this judge replied so far can be read, and it was asked often enough. */
  isHopeless(seat: number): boolean;
}

/** One reply that can be read is enough for a judge: those that cannot be read are counted, and said at the end. */
export function watchLegible(): Legible {
  const unread = new Map<number, number>();
  return {
    heard(seat, reading) {
      if (reading.ok) unread.set(seat, Number.NEGATIVE_INFINITY);
      else if (reading.status !== 'missing') unread.set(seat, (unread.get(seat) ?? 0) + 1);
    },
    isHopeless: (seat) => (unread.get(seat) ?? 0) >= TRIED,
  };
}
