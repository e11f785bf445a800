import { isVariableName } from '../base/secret-shapes.ts';

const HIDDEN = '[not shown]';
/** Names under which people write a key, `keyFrom` among them, which is to hold a name. */
const NAME = /(?:^keyFrom|key|secret|password|token)$/i;
/** Such a name with its value, in YAML or JSON on one line. */
const PAIR = /(\b\w*(?:keyFrom|key|secret|password|token)["']?\s*:\s*)("[^"]*"?|'[^']*'?|[^,}\]\s]+)/gi;

/** Whether what stands under this name may be a secret. */
export function namesSecret(name: PropertyKey | undefined): boolean {
  return typeof name === 'string' && NAME.test(name);
}

/** `PATH=VALUE` of a user, for messages: without the value of what may be a secret. */
export function showAssignment(text: string): string {
  const equals = text.indexOf('=');
  const path = equals < 0 ? text : text.slice(0, equals);
  if (equals < 0) return /keyFrom/i.test(text) ? HIDDEN : text;
  const value = text.slice(equals + 1);
  if (!path.trim().split('.').some(namesSecret)) return `${path}=${showLine(value)}`;
  return isHarmless(value) ? text : `${path}=${HIDDEN}`;
}

/** A line of YAML or JSON without the values of what may be secrets. */
export function showLine(line: string): string {
  return line.replace(PAIR, (pair, name: string, value: string) => (isHarmless(value) ? pair : `${name}${HIDDEN}`));
}

/** A value as JSON text without what may be secrets. */
export function showValue(value: unknown): string | undefined {
  return JSON.stringify(value, (name, member: unknown) =>
    namesSecret(name) && !(typeof member === 'string' && isVariableName(member)) ? HIDDEN : member,
  );
}

function isHarmless(value: string): boolean {
  const text = value.trim().replace(/^(["'])(.*)\1$/, '$2');
  return text === '' || text === 'null' || isVariableName(text);
}
