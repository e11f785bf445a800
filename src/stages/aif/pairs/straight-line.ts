/** How two numbers go together, counted up one after another (Welford's way, so that large lengths lose no digits). */
export interface StraightLine {
  readonly add: (x: number, y: number) => void;
  readonly count: () => number;
  readonly meanX: () => number;
  /** Of the least-squares line of y over x; 0 where x does not vary. */
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
