import type { RunEvent } from '../model/event.ts';

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
