import { type Document, isMap, parseDocument } from 'yaml';

/** A README as the Hub reads it: members in YAML between two rulers, which may be missing, and the text below them. */
export interface ReadmeParts {
  readonly head: Document;
  readonly body: string;
}

const HEAD = /^\uFEFF?\s*---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|$)/s;

/** Throws an `Error` where the head is no map in YAML. */
export function readReadme(text: string): ReadmeParts {
  const found = HEAD.exec(text);
  const head = parseDocument(found?.[1] ?? '{}\n');
  const [fault] = head.errors;
  if (fault !== undefined) throw new Error(`its head is no YAML: ${fault.message.split('\n')[0]}`);
  if (!isMap(head.contents)) throw new Error('its head is no list of members');
  if (found?.[1] === undefined) head.contents.flow = false;
  return { head, body: text.slice(found?.[0].length ?? 0) };
}

export function writeReadme({ head, body }: ReadmeParts): string {
  const members = isMap(head.contents) ? head.contents.items.length : 0;
  return members === 0 ? body : `---\n${head.toString({ lineWidth: 0 })}---\n${body}`;
}

const between = (name: string): RegExp => new RegExp(`<!-- zephyr:${name}\\b[^>]*-->.*?<!-- /zephyr:${name} -->\\n?`, 's');

/** A part of a README that zephyr writes anew each time; what stands outside of its marks is the user's. */
export function section(name: string, text: string): string {
  return `<!-- zephyr:${name}, written anew by zephyr: own words go outside of these marks -->\n\n${text.trim()}\n\n<!-- /zephyr:${name} -->\n`;
}

export const hasSection = (body: string, name: string): boolean => between(name).test(body);

/** The text with a section in its place, or at the end where it has none; without a text the section is taken out. */
export function withSection(body: string, name: string, text: string | undefined): string {
  const fresh = text === undefined ? '' : section(name, text);
  if (hasSection(body, name)) return body.replace(between(name), () => fresh);
  return text === undefined ? body : `${body.trimEnd()}\n\n${fresh}`;
}
