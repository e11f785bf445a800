import { painter } from './paint.ts';
import { oneLine, pad, textWidth, truncate, truncateMiddle } from './text-width.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** How a cell that is too wide is cut; `never` keeps it whole, for what is copied. Default: end. */
  readonly cut?: 'end' | 'middle' | 'never';
}

export interface TableOptions {
  /** columns of the terminal; Infinity for a pipe: nothing is cut */
  readonly width: number;
  readonly color?: boolean;
}

const GAP = '  ';
/** A column is not made narrower than this, or than its title if that is shorter. */
const LEAST = 4;

/** Lines of a table: aligned, never wider than asked unless columns that must stay whole are. Cells become one line each. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[], options: TableOptions): string[] {
  const paint = painter(options.color ?? false);
  const cells = rows.map((row) => columns.map((_, index) => oneLine(row[index] ?? '')));
  const natural = columns.map((column, index) =>
    Math.max(textWidth(column.title), ...cells.map((row) => textWidth(row[index] ?? ''))),
  );
  const widths = fit(columns, natural, options.width - GAP.length * (columns.length - 1));
  const line = (texts: readonly string[]) =>
    texts
      .map((text, index) =>
        pad(cutCell(text, widths[index] ?? 0, columns[index]?.cut), widths[index] ?? 0, columns[index]?.align),
      )
      .join(GAP)
      .trimEnd();
  const header = clip(line(columns.map((column) => column.title)), columns, options.width);
  return [paint('bold', header), ...cells.map((row) => clip(line(row), columns, options.width))];
}

/** Takes columns from the widest cuttable column until the sum fits. */
function fit(columns: readonly Column[], natural: readonly number[], available: number): number[] {
  const widths = [...natural];
  let over = widths.reduce((sum, width) => sum + width, 0) - available;
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

function cutCell(text: string, width: number, cut: Column['cut']): string {
  if (cut === 'never') return text;
  return cut === 'middle' ? truncateMiddle(text, width) : truncate(text, width);
}

/** Where even the narrowest columns are too many, the line ends at the edge. */
function clip(line: string, columns: readonly Column[], width: number): string {
  return columns.some((column) => column.cut === 'never') ? line : truncate(line, width);
}
