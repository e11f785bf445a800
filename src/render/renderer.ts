import { jsonLine } from '../base/ndjson.ts';
import type { RunEvent } from '../model/event.ts';
import { plainLines } from './plain.ts';
import { redactDeep, redactor } from './redact.ts';
import { loadWidths } from './text-width.ts';

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
  /** The end of a run's past, when a terminal attaches: in words, or in JSON as one event of type `past` with its `lines`. */
  readonly showPast: (words: readonly string[], lines: readonly unknown[]) => void;
  /** Takes the live view away and gives the cursor back. */
  readonly close: () => void;
}

/** A reader of run events that shows them on a stream. */
export async function openRenderer(options: RendererOptions): Promise<Renderer> {
  if (options.mode === 'tty') {
    await loadWidths();
    return (await import('./live-renderer.ts')).liveRenderer(options);
  }
  return options.mode === 'json' ? jsonRenderer(options) : plainRenderer(options);
}

/** Lines of `--json` that are no events of a run. */
type Own = { readonly type: 'message'; readonly message: string } | { readonly type: 'past'; readonly lines: readonly unknown[] };

function jsonRenderer({ stream, secrets, now = Date.now }: RendererOptions): Renderer {
  const redact = redactor(secrets);
  let seq = 0;
  const write = (event: RunEvent | Own, at = now() / 1000) => {
    const { type, ...rest } = event;
    const line = { v: 1, seq, ts: new Date(at * 1000).toISOString(), type, ...(redactDeep(rest, redact) as object) };
    seq += 1;
    stream.write(jsonLine(line));
  };
  return {
    emit: write,
    print: (message) => write({ type: 'message', message }),
    showPast: (_, lines) => write({ type: 'past', lines }),
    close: () => {},
  };
}

function plainRenderer({ stream, secrets, now = Date.now }: RendererOptions): Renderer {
  const redact = redactor(secrets);
  const lines = plainLines();
  const write = (texts: readonly string[]) => {
    if (texts.length > 0) stream.write(`${redact(texts.join('\n'))}\n`);
  };
  return {
    emit: (event, at = now() / 1000) => write(lines(event, at)),
    print: (text) => write([text]),
    showPast: write,
    close: () => {},
  };
}
