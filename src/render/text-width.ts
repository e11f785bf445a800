import { stripVTControlCharacters } from 'node:util';

/** Texts of which every character takes one column: Latin letters, and the marks, bars and curves that zephyr draws. */
const NARROW = /^[ -~\u00a0-\u00ac\u00ae-\u02ff–—…→·✓✗▁-░⠀-⣿]*$/;

let measure: ((text: string) => number) | undefined;

/**
 * To be awaited before these texts, or any where none are given, are measured: they may hold wide letters. Their widths come with the segmenter of the Unicode
 * library, which takes 10 to 40 ms to open: a command whose texts are all narrow does not pay for it.
 */
export async function loadWidths(texts?: readonly string[]): Promise<void> {
  if (measure === undefined && texts?.every((text) => NARROW.test(text)) !== true)
    measure = (await import('string-width')).default;
}

/** Columns that a text takes on a terminal; escapes take none. */
export function textWidth(text: string): number {
  const plain = stripVTControlCharacters(text);
  return measure === undefined || NARROW.test(plain) ? [...plain].length : measure(plain);
}

/** Cuts a text without escapes to a width; the last column is `…` where something was cut. */
export function truncate(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  return width <= 0 ? '' : `${fitting(lettersOf(text), width - 1).join('')}…`;
}

/** Cuts in the middle, for names whose end says more than their middle. */
export function truncateMiddle(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width <= 1) return truncate(text, width);
  const letters = lettersOf(text);
  const head = fitting(letters, Math.floor((width - 1) / 2));
  const tail = fitting(letters.toReversed(), Math.ceil((width - 1) / 2)).toReversed();
  return `${head.join('')}…${tail.join('')}`;
}

/** What a reader takes for one letter: of a narrow text its characters. */
function lettersOf(text: string): string[] {
  return measure === undefined || NARROW.test(text)
    ? [...text]
    : Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
}

/** The first letters that fit into a width. */
function fitting(letters: readonly string[], width: number): string[] {
  let left = width;
  const end = letters.findIndex((letter) => {
    left -= textWidth(letter);
    return left < 0;
  });
  return letters.slice(0, end < 0 ? letters.length : end);
}

/** Breaks a text without escapes at spaces into lines of at most `width` columns; a longer word stands alone, whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && textWidth(last) + 1 + textWidth(word) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Fills up with spaces to a width, at the end or, aligned right, at the start. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const spaces = ' '.repeat(Math.max(0, width - textWidth(text)));
  return align === 'left' ? text + spaces : spaces + text;
}

/** One line, safe to print: control characters and line breaks of foreign text become spaces. */
export function oneLine(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
}
