import { jsonLine } from '../base/ndjson.ts';
import type { RunEvent } from '../model/event.ts';
import { plainLines } from './plain.ts';
import { redactDeep, redactor } from './redact.ts';
import type { Renderer, RendererOptions } from './renderer-options.ts';
import { loadWidths } from './text-width.ts';

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
