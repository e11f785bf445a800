import { stripVTControlCharacters } from 'node:util';

/** Columns that a text takes on a terminal: escapes take none, every other code point is taken for one column. */
export function textWidth(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

/** Cuts a text without escapes to a width; the last column is `…` where something was cut. */
export function truncate(text: string, width: number): string {
  const points = [...text];
  if (points.length <= width) return text;
  return width <= 0 ? '' : `${points.slice(0, width - 1).join('')}…`;
}

/** Cuts in the middle, for names whose end says more than their middle. */
export function truncateMiddle(text: string, width: number): string {
  const points = [...text];
  if (points.length <= width) return text;
  if (width <= 1) return truncate(text, width);
  const head = Math.floor((width - 1) / 2);
  return `${points.slice(0, head).join('')}…${points.slice(points.length - (width - 1 - head)).join('')}`;
}

/** A text without escapes as lines of at most so many columns, broken at spaces; a longer word stands alone, whole. */
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
