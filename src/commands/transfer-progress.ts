import type { Emit, TransferProgress } from '../model/event.ts';
import { formatBytes, formatDuration, formatPercent } from '../render/format.ts';

/** Seconds between two lines of a log, and over which a rate is taken. */
const LINE_S = 15;
const RATE_S = 10;

export interface TransferLine {
  readonly begin: (label: string) => void;
  readonly moved: (progress: TransferProgress) => void;
  readonly end: () => void;
}

/** How far a transfer is, on stderr: one line that changes on a terminal, now and then a line elsewhere. */
export function transferProgress(stream: NodeJS.WriteStream, now = (): number => performance.now() / 1000): TransferLine {
  let [label, printed] = ['', now()];
  let samples: { readonly at: number; readonly done: number }[] = [];
  const width = (): number => (stream.columns ?? 80) - 1;

  function line({ done, total }: TransferProgress): string {
    const first = samples[0] ?? { at: now(), done };
    const rate = (done - first.done) / Math.max(0.001, now() - first.at);
    const speed = rate < 1 ? '' : `  ${formatBytes(rate)}/s  ETA ${formatDuration((total - done) / rate)}`;
    return `${formatPercent(done, total)}  ${formatBytes(done)} of ${formatBytes(total)}${speed}`;
  }

  /** On a terminal: how far it is, and of what and by which file where that fits; what is pulled stands whole in a line above. */
  function changing(progress: TransferProgress): string {
    const far = line(progress);
    const all = [`${label}  ${progress.file}  ${far}`, `${progress.file}  ${far}`, `${label}  ${far}`];
    return (all.find((text) => text.length <= width()) ?? far).slice(0, width());
  }

  return {
    begin: (what) => {
      [label, printed] = [what, now()];
      samples = [];
    },
    moved: (progress) => {
      const at = now();
      if (samples.length === 0 || at - (samples.at(-1)?.at ?? 0) > 0.5) samples.push({ at, done: progress.done });
      samples = samples.filter((sample, index) => at - sample.at < RATE_S || index === samples.length - 1);
      if (progress.total === 0 || at - printed < (stream.isTTY ? 0.2 : LINE_S)) return;
      printed = at;
      stream.write(stream.isTTY ? `\r\x1b[K${changing(progress)}` : `${label}  ${progress.file}  ${line(progress)}\n`);
    },
    end: () => {
      if (stream.isTTY) stream.write('\r\x1b[K');
    },
  };
}

/** What is told meanwhile gets a line of its own. */
export function beside(progress: TransferLine, emit: Emit): Emit {
  return (event) => {
    progress.end();
    emit(event);
  };
}
