import { createLogUpdate } from 'log-update';
import type { RunEvent } from '../model/event.ts';
import { liveLine, wordingLines } from './live-view.ts';
import { painter } from './paint.ts';
import { redactor } from './redact.ts';
import type { Renderer, RendererOptions, RenderStream } from './renderer-options.ts';
import { runningSteps } from './running-steps.ts';
import { textWidth } from './text-width.ts';
import { wordingOf } from './wording.ts';

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const ERASE_ROW_ABOVE = '\u001b[1A\u001b[2K';

/** The last lines of a terminal, painted over at each change. */
class LiveArea {
  readonly #stream: RenderStream;
  readonly #columns: () => number;
  readonly #update: ReturnType<typeof createLogUpdate>;
  #shown: { readonly lines: readonly string[]; readonly columns: number } = { lines: [], columns: 0 };
  #isCursorHidden = false;
  readonly #restore = () => this.#showCursor();

  constructor(stream: RenderStream, columns: () => number) {
    this.#stream = stream;
    this.#columns = columns;
    // keys that were typed meanwhile, ^C say, have moved the cursor
    const fromLeft = Object.assign(Object.create(stream), { write: (text: string) => stream.write(`\r${text}`) });
    this.#update = createLogUpdate(fromLeft, { showCursor: true, defaultWidth: columns() });
    process.on('exit', this.#restore);
  }

  /** Prints lines that stay, and below them those that the next call replaces. */
  paint(stay: readonly string[], live: readonly string[]): void {
    this.#joinRows();
    if (stay.length > 0 || live.length === 0) this.#erase();
    // not through the library, which would break a reference that is longer than a line
    if (stay.length > 0) this.#stream.write(stay.map((line) => `${line}\n`).join(''));
    if (live.length === 0) return;
    if (!this.#isCursorHidden) this.#stream.write(HIDE_CURSOR);
    this.#isCursorHidden = true;
    this.#update(live.join('\n'));
    this.#shown = { lines: live, columns: this.#columns() };
  }

  /** Removes the live lines and gives the cursor back; can be called twice. */
  close(): void {
    this.#erase();
    this.#showCursor();
    process.off('exit', this.#restore);
  }

  /** A terminal that was made narrower has broken the lines since: all rows of a line but one are erased here. */
  #joinRows(): void {
    const { lines, columns } = this.#shown;
    const now = this.#columns();
    if (now >= columns) return;
    const rows = lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(textWidth(line) / now)), 0);
    if (rows > lines.length) this.#stream.write(ERASE_ROW_ABOVE.repeat(rows - lines.length));
  }

  #erase(): void {
    if (this.#shown.lines.length > 0) this.#update.clear();
    this.#shown = { lines: [], columns: 0 };
  }

  #showCursor(): void {
    if (this.#isCursorHidden) this.#stream.write(SHOW_CURSOR);
    this.#isCursorHidden = false;
  }
}

/** Shows on a terminal what runs, a line each, below what is done and stays. */
export function liveRenderer({ stream, secrets, now = Date.now, color = true, columns, frame = 100 }: RendererOptions): Renderer {
  const redact = redactor(secrets);
  const paint = painter(color);
  const steps = runningSteps();
  const fullWidth = () => columns ?? stream.columns ?? 80;
  // the last column stays free: some terminals break the line when it is written
  const width = () => Math.max(1, fullWidth() - 1);
  const area = new LiveArea(stream, fullWidth);
  const live = () =>
    steps.all().map((step) => liveLine({ ...step, note: redact(step.note ?? '') }, { now: now() / 1000, width: width(), paint }));
  const timer = frame > 0 ? setInterval(() => area.paint([], live()), frame) : undefined;
  timer?.unref();
  return {
    emit: (event, at = now() / 1000) => {
      const wording = wordingOf(event, steps.about(event));
      steps.apply(event, at);
      if (wording !== undefined && isKept(event)) {
        const clean = { ...wording, text: redact(wording.text), more: wording.more.map(redact) };
        area.paint(wordingLines(clean, { width: width(), paint }), live());
      } else if (frame === 0) area.paint([], live());
    },
    print: (text) => area.paint(redact(text).split('\n'), live()),
    showPast: (lines) => area.paint(lines.map(redact), live()),
    close: () => {
      clearInterval(timer);
      area.close();
    },
  };
}

const PASSING: ReadonlySet<RunEvent['type']> = new Set(['step-started', 'job-submitted', 'job-state', 'checkpoint']);

/** On a terminal what passes is shown live and goes: only what a reader wants to scroll back to stays. */
function isKept(event: RunEvent): boolean {
  if (event.type === 'job') return event.event.type === 'error' || event.event.type === 'dropped';
  if (event.type === 'note') return event.lasting === true;
  return !PASSING.has(event.type);
}
