import { jsonLine } from '../base/ndjson.ts';
import type { RunEvent } from '../model/event.ts';
import { liveArea } from './live-area.ts';
import { liveLine, wordingLines } from './live-view.ts';
import { painter } from './paint.ts';
import { plainLines } from './plain.ts';
import { redactDeep, redactor } from './redact.ts';
import { runningSteps } from './running-steps.ts';
import { wordingOf } from './wording.ts';

/** The part of a writable stream that a renderer needs. */
export interface RenderStream {
  readonly write: (text: string) => unknown;
  readonly columns?: number;
}

export interface RendererOptions {
  /** `tty`: a live view; `plain`: lines for a log; `json`: one JSON object a line, for programs */
  readonly mode: 'tty' | 'plain' | 'json';
  readonly stream: RenderStream;
  /** Default: the stream's own, read anew at each line, else 80. */
  readonly columns?: number;
  readonly color?: boolean;
  /** Values that must not be shown, beside all that looks like a token. */
  readonly secrets?: Iterable<string>;
  /** Milliseconds since 1970; for tests. */
  readonly now?: () => number;
  /** Milliseconds between two frames of the live view; 0: a frame at each event and no timer. */
  readonly frame?: number;
}

export interface Renderer {
  /** `at`: seconds since 1970 at which it happened, where that is not now. */
  readonly emit: (event: RunEvent, at?: number) => void;
  /** A line of the command's own among the events: above the live view, or as an event of type `message` in JSON. */
  readonly print: (text: string) => void;
  /** Takes the live view away and gives the cursor back. */
  readonly close: () => void;
}

/** A reader of run events that shows them on a stream. */
export function openRenderer(options: RendererOptions): Renderer {
  if (options.mode === 'tty') return ttyRenderer(options);
  return options.mode === 'json' ? jsonRenderer(options) : plainRenderer(options);
}

function jsonRenderer({ stream, secrets, now = Date.now }: RendererOptions): Renderer {
  const redact = redactor(secrets);
  let seq = 0;
  const write = (event: RunEvent | { type: 'message'; message: string }, at = now() / 1000) => {
    const { type, ...rest } = event;
    const line = { v: 1, seq, ts: new Date(at * 1000).toISOString(), type, ...(redactDeep(rest, redact) as object) };
    seq += 1;
    stream.write(jsonLine(line));
  };
  return { emit: write, print: (message) => write({ type: 'message', message }), close: () => {} };
}

function plainRenderer({ stream, secrets, now = Date.now }: RendererOptions): Renderer {
  const redact = redactor(secrets);
  const lines = plainLines();
  const write = (texts: readonly string[]) => {
    if (texts.length > 0) stream.write(`${redact(texts.join('\n'))}\n`);
  };
  return { emit: (event, at = now() / 1000) => write(lines(event, at)), print: (text) => write([text]), close: () => {} };
}

function ttyRenderer({ stream, secrets, now = Date.now, color = true, columns, frame = 100 }: RendererOptions): Renderer {
  const redact = redactor(secrets);
  const paint = painter(color);
  const steps = runningSteps();
  const fullWidth = () => columns ?? stream.columns ?? 80;
  // the last column stays free: some terminals break the line when it is written
  const width = () => Math.max(1, fullWidth() - 1);
  const area = liveArea(stream, fullWidth);
  const live = () =>
    steps.all().map((step) => liveLine({ ...step, note: redact(step.note ?? '') }, { now: now() / 1000, width: width(), paint }));
  const timer = frame > 0 ? setInterval(() => area.paint([], live()), frame) : undefined;
  timer?.unref();
  return {
    emit: (event, at = now() / 1000) => {
      const before = steps.about(event);
      const wording = wordingOf(event, before);
      steps.apply(event, at);
      const stays = wording !== undefined && isKept(event);
      if (stays) {
        const clean = { ...wording, text: redact(wording.text), more: wording.more.map(redact) };
        area.paint(wordingLines(clean, { width: width(), paint }), live());
      } else if (frame === 0) area.paint([], live());
    },
    print: (text) => area.paint(redact(text).split('\n'), live()),
    close: () => {
      clearInterval(timer);
      area.close();
    },
  };
}

/** On a terminal what passes is shown live and goes: only what a reader wants to scroll back to stays. */
function isKept(event: RunEvent): boolean {
  if (event.type === 'job') return event.event.type === 'error' || event.event.type === 'dropped';
  if (event.type === 'note') return event.lasting === true;
  return (
    event.type !== 'step-started' && event.type !== 'job-submitted' && event.type !== 'job-state' && event.type !== 'checkpoint'
  );
}
