import { hmacOrder } from '../../../base/hmac-choice.ts';
import { type NearDuplicates, nearDuplicates } from '../../near-duplicates.ts';
import type { Opening } from './settings.ts';

/** Of openings the unlike ones, in their order, and how many others there are. */
export type UnlikeOnes = (openings: readonly Opening[]) => { readonly unlike: readonly Opening[]; readonly alike: number };

/**
 * Of openings that say almost the same keeps the first, in an order drawn by the seed and their texts alone. To be asked
 * again with more of them at the end of the list: those from before are not hashed once more.
 */
export function watchUnlike(seed: number): UnlikeOnes {
  let index: NearDuplicates = nearDuplicates(seed);
  let known: readonly Opening[] = [];
  return (openings) => {
    if (known.some(({ text }, number) => openings[number]?.text !== text)) {
      index = nearDuplicates(seed);
      known = [];
    }
    for (const { text } of openings.slice(known.length)) index.add(text);
    known = openings;
    const textOf = (number: number) => openings[number]?.text ?? '';
    const order = hmacOrder(seed, 'openings', [...openings.keys()], textOf);
    const groups = index.groups(order, textOf);
    const unlike = openings.filter((_, number) => groups[number] === number);
    return { unlike, alike: openings.length - unlike.length };
  };
}
