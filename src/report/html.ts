/** Markup that may go into a page as it is. Made by `html` alone, so that no text of others gets in unescaped. */
export interface Html {
  readonly html: string;
}

type HtmlPart = string | number | undefined | Html | readonly Html[];

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
/**
 * What a page should not hold even as text: characters that have no place in HTML, and those that turn the direction of
 * what follows (Trojan Source, CVE-2021-42574). Each becomes a visible sign.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const UNSEEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/g;

export function escapeHtml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(UNSEEN, '\uFFFD')
    .replaceAll(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

/** A template whose values are escaped, in text as in quoted attributes, unless they are `Html` themselves. */
export function html(fixed: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  return { html: fixed.map((text, index) => text + (index < parts.length ? markup(parts[index]) : '')).join('') };
}

function markup(part: HtmlPart): string {
  if (part === undefined) return '';
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part));
  return 'html' in part ? part.html : part.map((each) => each.html).join('');
}
