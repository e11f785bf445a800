const BARS = '▁▂▃▄▅▆▇█';

/** A series as one line of block characters: means of equal slices, lowest value `▁`, highest `█`; flat is `▄`. */
export function sparkline(values: readonly number[], width: number): string {
  const finite = values.filter(Number.isFinite);
  const count = Math.min(Math.floor(width), finite.length);
  if (count <= 0) return '';
  const means = Array.from({ length: count }, (_, index) => {
    const slice = finite.slice(Math.floor((index * finite.length) / count), Math.floor(((index + 1) * finite.length) / count));
    return slice.reduce((sum, value) => sum + value / slice.length, 0);
  });
  const low = Math.min(...means);
  const range = Math.max(...means) - low;
  const level = (value: number) => {
    const share = (value - low) / range;
    // a flat series, or one whose range is beyond what a number holds
    return Number.isFinite(share) ? Math.min(BARS.length - 1, Math.floor(share * BARS.length)) : 3;
  };
  return means.map((value) => BARS[level(value)]).join('');
}

/** A bar of a fixed width, in eighths: `██▌   `. `done` is a share in [0, 1]. */
export function progressBar(done: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, done)) * width * 8);
  const full = Math.floor(eighths / 8);
  const part = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8] ?? '';
  return `${'█'.repeat(full)}${part}`.padEnd(width, '░');
}
