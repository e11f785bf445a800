import { ZephyrError } from '../errors.ts';
import { painter } from './paint.ts';
import type { Redact } from './redact.ts';
import { redactor } from './redact.ts';

/**
 * What stderr says of an error: a mistake is `error:` and `hint:`; a bug keeps its stack and its causes and says that it
 * is one. Ends with a newline.
 */
export function renderError(error: unknown, options: { color?: boolean; redact?: Redact } = {}): string {
  const paint = painter(options.color ?? false);
  const redact = options.redact ?? redactor();
  if (error instanceof ZephyrError) {
    const hint = error.hint === undefined ? '' : `${paint('cyan', 'hint:')} ${redact(error.hint)}\n`;
    return `${paint('red', 'error:')} ${redact(error.message)}\n${hint}`;
  }
  const stack = redact(stacks(error).join('\ncaused by: '));
  const plea = 'this is a bug in zephyr; please report it with the lines above and the command that you ran';
  return `${paint('red', 'error:')} ${stack}\n${paint('cyan', 'hint:')} ${plea}\n`;
}

/** An error's stack, then those of its causes; the fifth cause says no more. */
function stacks(error: unknown): string[] {
  const seen: unknown[] = [];
  for (let current = error; current !== undefined && seen.length < 5 && !seen.includes(current); ) {
    seen.push(current);
    current = current instanceof Error ? current.cause : undefined;
  }
  return seen.map((item) =>
    item instanceof Error ? (item.stack ?? `${item.name}: ${item.message}`) : `thrown: ${String(item)}`,
  );
}
