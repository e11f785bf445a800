import { SECRET_SHAPES } from '../base/secret-shapes.ts';

/** Shorter values are words, ports, switches: to blot them out would hide the text and not the secret. */
const LEAST = 6;

export type Redact = (text: string) => string;

/** Blots out known values and everything that looks like a token. `secrets` is read at each call: it may grow. */
export function redactor(secrets: Iterable<string> = []): Redact {
  return (text) => {
    // the longest first: one secret may begin like another
    const known = [...secrets].filter((secret) => secret.length >= LEAST).sort((a, b) => b.length - a.length);
    const clean = known.reduce((before, secret) => before.replaceAll(secret, '[redacted]'), text);
    return SECRET_SHAPES.reduce((before, shape) => before.replace(shape, '[redacted]'), clean);
  };
}

/** The same value with every string in it redacted, member names too. */
export function redactDeep(value: unknown, redact: Redact): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map((item) => redactDeep(item, redact));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [redact(key), redactDeep(member, redact)]));
}
