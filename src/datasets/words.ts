/** Scripts without spaces between words count one sign as a word. */
const SIGN = '[\\p{sc=Han}\\p{sc=Hira}\\p{sc=Kana}\\p{sc=Thai}]';
const WORD = new RegExp(`${SIGN}|[[\\p{L}\\p{N}\\p{M}]--${SIGN}]+`, 'gv');

/** The words of a text in lower case, without punctuation: what is compared to find overlap. */
export function wordsOf(text: string): string[] {
  return text.normalize('NFKC').toLowerCase().match(WORD) ?? [];
}

/** A text in Unicode NFC with white space folded: equal for all encodings of accents and all layouts. */
export function folded(text: string): string {
  return text.normalize('NFC').replaceAll(/\s+/g, ' ').trim();
}

/** Tokens of a text, guessed before any tokenizer is at hand: 4 bytes of UTF-8 each, as English has them. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}
