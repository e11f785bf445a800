import type { Histogram } from './rating-statistics.ts';

const WIDTH = 40;
/** An eighth to seven eighths of a cell. */
const PARTS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** Lines of bars that line up in a fixed-width font: value, count, bar. The longest bar is the largest count. */
export function textHistogram(bins: Histogram, decimals = 0): string[] {
  const values = bins.map(([value]) => value.toFixed(decimals));
  const counts = bins.map(([, count]) => count.toLocaleString('en-US'));
  const [valueWidth, countWidth] = [widest(values), widest(counts)];
  const most = Math.max(1, ...bins.map(([, count]) => count));
  return bins.map(([, count], at) => {
    const line = `${values[at]?.padStart(valueWidth)}  ${counts[at]?.padStart(countWidth)}  ${bar((WIDTH * count) / most)}`;
    return line.trimEnd();
  });
}

function bar(cells: number): string {
  const eighths = Math.round(cells * 8);
  return '█'.repeat(eighths >> 3) + (PARTS[eighths % 8] ?? '');
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => text.length));
}
