import { painter } from './paint.ts';
import { oneLine, pad, textWidth, truncate, truncateMiddle, wrap } from './text-width.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** How a cell that is too wide is cut; `never` keeps it whole, for what is copied, `under` puts it under its row. Default: end. */
  readonly cut?: 'end' | 'middle' | 'never' | 'under';
}

export interface TableOptions {
  /** columns of the terminal; Infinity for a pipe: nothing is cut */
  readonly width: number;
  readonly color?: boolean;
}

const GAP = '  ';
/** A column is not made narrower than this, or than its title if that is shorter. */
const LEAST = 4;
/** Before what stands under its row for want of room. */
const INDENT = '  ';

/**
 * Lines of a table: aligned and, but for an ID that is longer by itself, never wider than asked. Cells become one line
 * each; where there is no room, a cell that holds an ID goes whole under its row, those of the first columns last, and the
 * others are cut.
 */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[], options: TableOptions): string[] {
  const { width } = options;
  const paint = painter(options.color ?? false);
  const cells = rows.map((row) => columns.map((_, index) => oneLine(row[index] ?? '')));
  const widths = widthsOf(columns, cells);
  if (total(widths) <= width)
    return [paint('bold', line(columns, titles(columns), widths)), ...cells.map((row) => line(columns, row, widths))];

  const shown = withoutWideIds(columns, cells, width);
  const filled = [...columns.keys()].filter((index) => shown.some((row) => row[index] !== ''));
  const staying = fitOnly(filled, columns, widthsOf(columns, shown), width);
  const goes = (row: readonly string[], index: number) =>
    (columns[index]?.cut === 'under' || holdsId(row[index] ?? '')) && textWidth(row[index] ?? '') > (staying[index] ?? 0);
  // a column of which nothing stays needs no place
  const kept = filled.filter((index) => cells.some((row) => row[index] !== '' && !goes(row, index)));
  const fitted = fitOnly(kept, columns, staying, width);
  const narrow = kept.map((index) => fitted[index] ?? 0);
  const keptColumns = columns.filter((_, index) => kept.includes(index));
  const header = clip(line(keptColumns, titles(keptColumns), narrow), keptColumns, width);
  return [
    ...(header === '' ? [] : [paint('bold', header)]),
    ...cells.flatMap((row) => {
      const stays = kept.map((index) => (goes(row, index) ? '' : (row[index] ?? '')));
      const under = row.filter((_, index) => goes(row, index)).flatMap((cell) => wrap(cell, Math.max(1, width - INDENT.length)));
      return [clip(line(keptColumns, stays, narrow), keptColumns, width), ...under.map((text) => INDENT + text)].filter(
        (text) => text !== '',
      );
    }),
  ];
}

/** The cells without their IDs, but for those of the columns, from the left, that fit beside everything else. */
function withoutWideIds(columns: readonly Column[], cells: readonly (readonly string[])[], width: number): string[][] {
  let shown = cells.map((row) => row.map((cell) => (holdsId(cell) ? '' : cell)));
  for (const column of columns.keys()) {
    const more = shown.map((row, index) => row.with(column, cells[index]?.[column] ?? ''));
    const natural = widthsOf(columns, more).filter((_, index) => more.some((row) => row[index] !== ''));
    if (total(natural) <= width) shown = more;
  }
  return shown;
}

function titles(columns: readonly Column[]): string[] {
  return columns.map(({ title }) => title);
}

function widthsOf(columns: readonly Column[], cells: readonly (readonly string[])[]): number[] {
  return columns.map(({ title }, index) => Math.max(textWidth(title), ...cells.map((row) => textWidth(row[index] ?? ''))));
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
}

function line(columns: readonly Column[], texts: readonly string[], widths: readonly number[]): string {
  return texts
    .map((text, index) => pad(cutCell(text, widths[index] ?? 0, columns[index]?.cut), widths[index] ?? 0, columns[index]?.align))
    .join(GAP)
    .trimEnd();
}

/** Takes columns from the widest cuttable column until the sum fits. */
function fit(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  let over = total(widths) - width;
  while (over > 0) {
    let widest = -1;
    for (const [index, width] of widths.entries()) {
      const canShrink = columns[index]?.cut !== 'never' && width > LEAST;
      if (canShrink && (widest < 0 || width > (widths[widest] ?? 0))) widest = index;
    }
    if (widest < 0) return widths;
    widths[widest] = (widths[widest] ?? 0) - 1;
    over -= 1;
  }
  return widths;
}

/** `fit` for some of the columns alone; the others get no width. */
function fitOnly(some: readonly number[], columns: readonly Column[], natural: readonly number[], width: number): number[] {
  const fitted = fit(
    columns.filter((_, index) => some.includes(index)),
    natural.filter((_, index) => some.includes(index)),
    width,
  );
  return columns.map((_, index) => fitted[some.indexOf(index)] ?? 0);
}

function cutCell(text: string, width: number, cut: Column['cut']): string {
  if (cut === 'never') return text;
  return cut === 'middle' ? truncateMiddle(text, width) : truncate(text, width);
}

/** Cuts a line at the edge, where even the narrowest columns do not fit. */
function clip(line: string, columns: readonly Column[], width: number): string {
  return columns.some((column) => column.cut === 'never') ? line : truncate(line, width);
}

/** A reference, a run, a digest or a commit, whole or as short as it is printed. */
const ID = /hf:\/\/\S|\brun-[0-9a-z]{26}\b|@[0-9a-f]{7}\b|\b(?:[0-9a-f]{40}|[0-9a-f]{64})\b/;

/** Whether a text holds what is copied into a command: it is wrapped or moved where there is no room, never cut. */
export function holdsId(text: string): boolean {
  return ID.test(text);
}
