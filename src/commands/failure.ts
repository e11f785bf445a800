import { renderError } from '../render/errors.ts';
import { redactor } from '../render/redact.ts';
import { knownSecrets } from './secrets.ts';

/** What stderr says of an error that ends the command. */
export function failureText(error: unknown): string {
  return renderError(error, { color: process.stderr.hasColors?.() ?? false, redact: redactor(knownSecrets) });
}
