/**
 * Shapes of secrets that no renderer lets through, whoever wrote the text. A prefix alone is not enough: `hf_transfer` is
 * a package. There must be a digit, or the length of a token.
 */
const SHAPES = [
  /\bhf_(?=[A-Za-z]*\d|[A-Za-z]{20})[A-Za-z0-9]{8,}/g,
  /\bsk-(?=[A-Za-z_-]*\d|[\w-]{20})[\w-]{8,}/g,
  /(?<=\bBearer\s+)[\w.~+/=-]{8,}/gi,
  /\b(?:gh[pousr]_|github_pat_)\w{16,}/g,
  /\bAKIA[0-9A-Z]{16}\b/g,
  /(?<=:\/\/[^/\s:@]*:)[^@/\s]+(?=@)/g,
];
/** Shorter values are words, ports, switches: to blot them out would hide the text and not the secret. */
const LEAST = 6;

export type Redact = (text: string) => string;

/** Blots out known values and everything that looks like a token. `secrets` is read at each call: it may grow. */
export function redactor(secrets: Iterable<string> = []): Redact {
  return (text) => {
    // the longest first: one secret may begin like another
    const known = [...secrets].filter((secret) => secret.length >= LEAST).sort((a, b) => b.length - a.length);
    const clean = known.reduce((before, secret) => before.replaceAll(secret, '[redacted]'), text);
    return SHAPES.reduce((before, shape) => before.replace(shape, '[redacted]'), clean);
  };
}

/** The same value with every string in it redacted, member names too. */
export function redactDeep(value: unknown, redact: Redact): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map((item) => redactDeep(item, redact));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [redact(key), redactDeep(member, redact)]));
}
