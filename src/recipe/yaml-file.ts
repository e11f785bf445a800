import { readFile } from 'node:fs/promises';
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import { ZephyrError } from '../errors.ts';
import type { Path } from '../stages/mistake.ts';
import { showLine } from './hide-secrets.ts';

/** A parsed YAML file that knows where its values stand. */
export interface YamlFile {
  readonly file: string;
  readonly data: unknown;
  /** Where the value at the path begins, or its key; the closest ancestor where there is none. Counted in characters. */
  readonly offset: (path: Path, part: 'key' | 'value') => number;
  /** `file:line:column` */
  readonly place: (offset: number) => string;
}

/** Reads YAML 1.2 (so `on` is a text and 5e-7 a number). Throws a `ZephyrError` with every error of syntax at its place. */
export async function readYaml(file: string, what: string): Promise<YamlFile> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : code;
    throw new ZephyrError(`Cannot read ${what} "${file}": ${why}`, { cause: error });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { version: '1.2', lineCounter: lines, prettyErrors: false });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    const source = text.split('\n');
    /** The parser quotes what it stumbles over. */
    const said = (offset: number, message: string) => {
      const line = source[lines.linePos(offset).line - 1] ?? '';
      return showLine(line) === line ? message : 'expected YAML; the line may hold a key and is not shown';
    };
    throw new ZephyrError(document.errors.map(({ pos, message }) => `${place(pos[0])}: ${said(pos[0], message)}`).join('\n'));
  }
  const alias = looseAlias(document);
  if (alias !== undefined) throw new ZephyrError(`${place(alias)}: ${LOOSE_ALIAS}`);
  return { file, data: document.toJS() ?? {}, offset: (path, part) => offsetOf(document, path, part), place };
}

export const LOOSE_ALIAS = 'expected the anchor of this alias before it; a text that begins with "*" is put in quotes';

/** Where an alias (`*name`) stands whose anchor does not: the parser finds out when it is too late to say so. */
export function looseAlias(document: Document.Parsed): number | undefined {
  let offset: number | undefined;
  visit(document, {
    Alias(_, node) {
      if (node.resolve(document) === undefined) offset ??= node.range?.[0] ?? 0;
    },
  });
  return offset;
}

function offsetOf(document: Document.Parsed, path: Path, part: 'key' | 'value'): number {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? 0;
  path.forEach((name, index) => {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    const found = memberOf(node, name);
    if (found === undefined) {
      node = null;
      return;
    }
    node = found.value;
    const last = index === path.length - 1;
    offset = (last && part === 'key' ? found.key : (node ?? found.key))?.range?.[0] ?? offset;
  });
  return offset;
}

/** An alias is reported where it stands, what is inside of it where the anchor's text stands. */
function memberOf(node: Node | null, name: PropertyKey): { key: Node | null; value: Node | null } | undefined {
  const asNode = (value: unknown) => (isNode(value) ? value : null);
  if (isSeq(node)) {
    const item = node.items[Number(name)];
    return item === undefined ? undefined : { key: asNode(item), value: asNode(item) };
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(name));
  return pair === undefined ? undefined : { key: asNode(pair.key), value: asNode(pair.value) };
}
