import { diffArrays } from 'diff';

/** A stretch of a text, and whether the other text has it too. */
export interface Stretch {
  readonly text: string;
  readonly shared: boolean;
}

export interface WordDiff {
  readonly before: readonly Stretch[];
  readonly after: readonly Stretch[];
  /** words that both share by those of both, from 0 to 1 */
  readonly similarity: number;
}

/** Words that are in one text alone; the time grows with their square. Texts with more are not compared. */
const MOST_EDITS = 3000;

/**
 * The words of two texts that are the same and in the same order (Myers' shortest edit script); white space goes along.
 * `undefined` where the texts are too long and too different to compare.
 */
export function wordDiff(before: string, after: string): WordDiff | undefined {
  const [a, b] = [wordsOf(before), wordsOf(after)];
  const options = { maxEditLength: MOST_EDITS, comparator: (one: string, other: string) => one.trim() === other.trim() };
  const changes = diffArrays(a, b, options);
  if (changes === undefined) return undefined;
  const shared = changes.reduce((sum, { added, removed, count }) => sum + (added || removed ? 0 : count), 0);
  const stretchesOf = (words: readonly string[], other: 'added' | 'removed') => {
    let start = 0;
    const own = changes.filter((change) => !change[other]);
    return own.map(({ added, removed, count }): Stretch => {
      start += count;
      return { text: words.slice(start - count, start).join(''), shared: !added && !removed };
    });
  };
  const total = a.length + b.length;
  return {
    before: stretchesOf(a, 'added'),
    after: stretchesOf(b, 'removed'),
    similarity: total === 0 ? 1 : (2 * shared) / total,
  };
}

/** Each with the white space after it, the first also with that before it. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/^\s*\S+\s*|\S+\s*|^\s+$/g)].map(([match]) => match);
}
