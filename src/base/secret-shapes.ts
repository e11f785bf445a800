/**
 * Shapes of secrets, wherever they stand. A prefix alone is not enough: `hf_transfer` is a package. There must be a digit,
 * or the length of a token.
 */
export const SECRET_SHAPES: readonly RegExp[] = [
  /\bhf_(?=[A-Za-z]*\d|[A-Za-z]{20})[A-Za-z0-9]{8,}/g,
  /\bsk-(?=[A-Za-z_-]*\d|[\w-]{20})[\w-]{8,}/g,
  /\b(?:gsk|xai|pplx|nvapi)[_-](?=\w*\d)[\w-]{16,}/g,
  /\bAIza[\w-]{30,}/g,
  /(?<=\bBearer\s+)[\w.~+/=-]{8,}/gi,
  /\b(?:gh[pousr]_|github_pat_)\w{16,}/g,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g,
  /(?<=:\/\/[^/\s:@]*:)[^@/\s]+(?=@)/g,
];

/** Changes between letters and digits that a word of `RANDOM_LENGTH` characters in a name does not have. */
const RANDOM_CHANGES = 3;
const RANDOM_LENGTH = 16;
const LONGEST_NAME = 64;

/** Whether a text holds something of the shape of a secret. */
export function holdsSecret(text: string): boolean {
  return SECRET_SHAPES.some((shape) => text.search(shape) >= 0);
}

/**
 * Whether a text is the name of an environment variable as people write them, and not a secret that happens to be in
 * capitals: an access key, a long hexadecimal number, base32.
 */
export function isVariableName(text: string): boolean {
  if (!/^[A-Z][A-Z0-9_]*$/.test(text) || text.length > LONGEST_NAME || holdsSecret(text)) return false;
  return !text.split('_').some((word) => word.length >= RANDOM_LENGTH && changesIn(word) >= RANDOM_CHANGES);
}

function changesIn(word: string): number {
  return word.match(/[A-Z](?=\d)|\d(?=[A-Z])/g)?.length ?? 0;
}
