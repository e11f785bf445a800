import { hmacOrder } from '../../../base/hmac-choice.ts';
import { NearDuplicates } from '../../../datasets/near-duplicates.ts';
import type { Opening } from './settings.ts';

/** Keeps the openings that are unlike one another, in their order, and counts the others. */
export type UnlikeOnes = (openings: readonly Opening[]) => { readonly unlike: readonly Opening[]; readonly alike: number };

/**
 * Of openings that say almost the same keeps the first, in an order drawn by the seed and their texts alone; of those about
 * a text that exists, the instructions for the same text are compared. Takes a list that grows at its end: those from
 * before are not hashed once more.
 */
export function watchUnlike(seed: number): UnlikeOnes {
  const index = new NearDuplicates(seed);
  let known = 0;
  return (openings) => {
    for (const { text, subject, instruction } of openings.slice(known))
      if (instruction === undefined) index.add(text);
      else index.add(instruction, subject);
    known = openings.length;
    const order = hmacOrder(seed, 'openings', [...openings.keys()], (number) => openings[number]?.text ?? '');
    const groups = index.groups(order, (number) => openings[number]?.instruction ?? openings[number]?.text ?? '');
    const unlike = openings.filter((_, number) => groups[number] === number);
    return { unlike, alike: openings.length - unlike.length };
  };
}
