import type { RenderStream } from './renderer.ts';
import { textWidth } from './text-width.ts';

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

export interface LiveArea {
  /** Prints lines that stay, and the lines below them that the next call replaces. */
  readonly paint: (stay: readonly string[], live: readonly string[]) => void;
  /** Removes the live lines and gives the cursor back; can be called twice. */
  readonly close: () => void;
}

/** The last lines of a terminal, painted over at each change. */
export function liveArea(stream: RenderStream, columns: () => number): LiveArea {
  let shown: readonly string[] = [];
  let cursorHidden = false;
  const erase = () => {
    // a terminal that was made narrower has broken the lines since
    const rows = shown.reduce((sum, line) => sum + Math.max(1, Math.ceil(textWidth(line) / Math.max(1, columns()))), 0);
    return rows === 0 ? '' : `\u001b[${rows}A\r\u001b[0J`;
  };
  const restore = () => {
    if (cursorHidden) stream.write(SHOW_CURSOR);
    cursorHidden = false;
  };
  process.on('exit', restore);
  return {
    paint: (stay, live) => {
      if (stay.length === 0 && live.length === 0 && shown.length === 0) return;
      const hide = live.length > 0 && !cursorHidden;
      stream.write(`${hide ? HIDE_CURSOR : ''}${erase()}${[...stay, ...live].map((line) => `${line}\n`).join('')}`);
      cursorHidden ||= hide;
      shown = live;
    },
    close: () => {
      if (shown.length > 0) stream.write(erase());
      shown = [];
      restore();
      process.off('exit', restore);
    },
  };
}
