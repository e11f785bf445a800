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
