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

/** Cells of the table; two answers of 2,000 words. Above, only what they begin and end with alike is found. */
const MOST_CELLS = 4_000_000;

/** The words of two texts that are the same and in the same order (longest common subsequence); white space goes along. */
export function wordDiff(before: string, after: string): WordDiff {
  const [a, b] = [wordsOf(before), wordsOf(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start]?.word === b[start]?.word) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end)?.word === b.at(-1 - end)?.word) end += 1;
  const [middleA, middleB] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const { inA, inB, count } = common(
    middleA.map(({ word }) => word),
    middleB.map(({ word }) => word),
  );
  const isShared = (words: readonly Word[], inMiddle: Uint8Array) =>
    words.map((_, at) => at < start || at >= words.length - end || inMiddle[at - start] === 1);
  const total = a.length + b.length;
  return {
    before: stretches(a, isShared(a, inA)),
    after: stretches(b, isShared(b, inB)),
    similarity: total === 0 ? 1 : (2 * (start + end + count)) / total,
  };
}

interface Word {
  readonly word: string;
  /** with the white space after it, and before it if it is the first */
  readonly text: string;
}

function wordsOf(text: string): Word[] {
  return [...text.matchAll(/^\s*\S+\s*|\S+\s*|^\s+$/g)].map(([match]) => ({ word: match.trim(), text: match }));
}

function common(a: readonly string[], b: readonly string[]): { inA: Uint8Array; inB: Uint8Array; count: number } {
  const inA = new Uint8Array(a.length);
  const inB = new Uint8Array(b.length);
  if (a.length * b.length > MOST_CELLS) return { inA, inB, count: 0 };
  const width = b.length + 1;
  // lengths of the longest common subsequences of what is left from (i, j) on
  const left = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const at = i * width + j;
      left[at] =
        a[i] === b[j] ? (left[at + width + 1] as number) + 1 : Math.max(left[at + width] as number, left[at + 1] as number);
    }
  }
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    const at = i * width + j;
    if (a[i] === b[j]) {
      inA[i] = 1;
      inB[j] = 1;
      i += 1;
      j += 1;
    } else if ((left[at + width] as number) >= (left[at + 1] as number)) i += 1;
    else j += 1;
  }
  return { inA, inB, count: left[0] as number };
}

function stretches(words: readonly Word[], shared: readonly boolean[]): Stretch[] {
  const found: { text: string; shared: boolean }[] = [];
  for (const [at, { text }] of words.entries()) {
    const last = found.at(-1);
    if (last !== undefined && last.shared === shared[at]) last.text += text;
    else found.push({ text, shared: shared[at] === true });
  }
  return found;
}
