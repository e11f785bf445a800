import { pad, textWidth, wrap } from '../render/text-width.ts';

/** Columns below which two answers stand one under the other. */
export const LEAST_SIDE_BY_SIDE = 80;
const BETWEEN = ' │ ';

/** Text of a model as it may be printed: no control character but the line break reaches the terminal. */
export function printable(text: string): string {
  return text.replaceAll('\t', '    ').replaceAll(/[^\P{Cc}\n]/gu, '');
}

/** Lines of at most `width` columns; a word that is longer is broken. */
export function fitted(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => wrap(line, width).flatMap((part) => broken(part, width)));
}

function broken(word: string, width: number): string[] {
  if (textWidth(word) <= width) return [word];
  const lines = [''];
  for (const { segment } of new Intl.Segmenter().segment(word)) {
    if (lines.at(-1) !== '' && textWidth(`${lines.at(-1)}${segment}`) > width) lines.push(segment);
    else lines[lines.length - 1] += segment;
  }
  return lines;
}

interface GrowingText {
  readonly text: string;
  readonly isOver: boolean;
}

/** Two texts beside each other; `final` rows at the top change no more, whatever is added to a text that is not over. */
export function sideBySide(
  left: GrowingText,
  right: GrowingText,
  width: number,
): { readonly rows: string[]; readonly final: number } {
  const column = Math.floor((width - BETWEEN.length) / 2);
  const [ours, theirs] = [left, right].map(({ text }) => fitted(text, column)) as [string[], string[]];
  const count = Math.max(ours.length, theirs.length);
  const rows = Array.from({ length: count }, (_, row) =>
    `${pad(ours[row] ?? '', column)}${BETWEEN}${theirs[row] ?? ''}`.trimEnd(),
  );
  // the last line of a text that goes on may grow
  const settled = (side: GrowingText, lines: readonly string[]): number => (side.isOver ? count : lines.length - 1);
  return { rows, final: Math.min(settled(left, ours), settled(right, theirs)) };
}

/** Draws rows at the foot of a terminal again and again: those that are final stay, the others are drawn over. */
export class Foot {
  readonly #write: (text: string) => void;
  readonly #height: number;
  #kept = 0;
  #drawn = 0;

  constructor(write: (text: string) => void, height: number) {
    this.#write = write;
    this.#height = height;
  }

  draw({ rows, final }: ReturnType<typeof sideBySide>): void {
    const up = this.#drawn === 0 ? '' : `\u001B[${this.#drawn}A`;
    // rows above the top of the screen cannot be drawn over: those that have no room yet are shown later
    const shown = rows.slice(this.#kept, Math.max(final, Math.min(rows.length, this.#kept + this.#height - 1)));
    this.#write(`${up}\r\u001B[J${shown.map((row) => `${row}\n`).join('')}`);
    this.#drawn = this.#kept + shown.length - final;
    this.#kept = final;
  }
}
