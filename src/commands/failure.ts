import { renderError } from '../render/errors.ts';
import { redactor } from '../render/redact.ts';
import { onSameHub } from './same-hub.ts';
import { knownSecrets } from './secrets.ts';

/** What stderr says of an error that ends the command. */
export function failureText(error: unknown): string {
  const redact = redactor(knownSecrets);
  return renderError(error, {
    color: process.stderr.hasColors?.() ?? false,
    redact: (text) => onSameHub(redact(text)),
  });
}
