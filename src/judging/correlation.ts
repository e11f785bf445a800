/**
 * Spearman's rank correlation of two columns of equal length, in [-1, 1]: Pearson's correlation of the ranks, equal values
 * getting the mean of their ranks. Null for fewer than two rows or a column of equal values.
 */
export function spearman(a: readonly number[], b: readonly number[]): number | null {
  return pearson(ranks(a), ranks(b));
}

function pearson(a: readonly number[], b: readonly number[]): number | null {
  const count = a.length;
  const [meanA, meanB] = [a, b].map((column) => column.reduce((sum, value) => sum + value, 0) / count) as [number, number];
  let [product, squaresA, squaresB] = [0, 0, 0];
  for (let row = 0; row < count; row += 1) {
    const [offA, offB] = [(a[row] as number) - meanA, (b[row] as number) - meanB];
    product += offA * offB;
    squaresA += offA * offA;
    squaresB += offB * offB;
  }
  return count < 2 || squaresA === 0 || squaresB === 0 ? null : product / Math.sqrt(squaresA * squaresB);
}

/** From 1; equal values share the mean of the ranks that they take up. */
function ranks(values: readonly number[]): number[] {
  const order = values.map((_, row) => row).sort((a, b) => (values[a] as number) - (values[b] as number));
  const found = new Array<number>(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end] as number] === values[order[start] as number]) end += 1;
    for (let at = start; at < end; at += 1) found[order[at] as number] = (start + end + 1) / 2;
    start = end;
  }
  return found;
}

/** How two numbers vary together, added pair by pair (Welford 1962, so that large numbers lose no digits). */
export interface StraightLine {
  readonly add: (x: number, y: number) => void;
  readonly count: () => number;
  readonly meanX: () => number;
  /** The slope of the least-squares line of y over x; 0 where x does not vary. */
  readonly slope: () => number;
  /** Pearson's; null where one of the two does not vary. */
  readonly correlation: () => number | null;
}

export function straightLine(): StraightLine {
  let n = 0;
  let [meanX, meanY, xx, yy, xy] = [0, 0, 0, 0, 0];
  return {
    add(x, y) {
      n += 1;
      const [dx, dy] = [x - meanX, y - meanY];
      meanX += dx / n;
      meanY += dy / n;
      xx += dx * (x - meanX);
      yy += dy * (y - meanY);
      xy += dx * (y - meanY);
    },
    count: () => n,
    meanX: () => meanX,
    slope: () => (xx === 0 ? 0 : xy / xx),
    correlation: () => (xx === 0 || yy === 0 ? null : xy / Math.sqrt(xx * yy)),
  };
}
