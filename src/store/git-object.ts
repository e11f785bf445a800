import { createHash } from 'node:crypto';

export type ObjectKind = 'blob' | 'tree' | 'commit';

export interface GitTreeEntry {
  readonly kind: 'blob' | 'tree';
  readonly name: string;
  readonly id: string;
}

export interface GitCommit {
  readonly tree: string;
  readonly parents: readonly string[];
  /** `Name <address>` */
  readonly author: string;
  /** seconds since 1970, in UTC */
  readonly time: number;
  readonly message: string;
}

const MODE = { blob: '100644', tree: '40000' } as const;

/** git-scm.com/book/en/v2/Git-Internals-Git-Objects: the id is the SHA-1 of "kind size\0" and the content. */
export function objectHeader(kind: ObjectKind, size: number): Buffer {
  return Buffer.from(`${kind} ${size}\0`);
}

/** The id of an object that is in memory, 40 hex digits. */
export function objectId(kind: ObjectKind, content: Uint8Array): string {
  return createHash('sha1').update(objectHeader(kind, content.length)).update(content).digest('hex');
}

/** git sorts a folder as if its name ended in a slash, by bytes. */
function sortKey({ kind, name }: GitTreeEntry): Buffer {
  return Buffer.from(kind === 'tree' ? `${name}/` : name);
}

/** The content of a tree object: for every entry "mode name\0" and the 20 bytes of its id. */
export function encodeTree(entries: readonly GitTreeEntry[]): Buffer {
  const sorted = [...entries].sort((a, b) => Buffer.compare(sortKey(a), sortKey(b)));
  return Buffer.concat(sorted.flatMap(({ kind, name, id }) => [Buffer.from(`${MODE[kind]} ${name}\0`), Buffer.from(id, 'hex')]));
}

export function decodeTree(content: Buffer): GitTreeEntry[] {
  const entries: GitTreeEntry[] = [];
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const end = content.indexOf(0, space);
    entries.push({
      kind: content.toString('latin1', at, space) === MODE.tree ? 'tree' : 'blob',
      name: content.toString('utf8', space + 1, end),
      id: content.toString('hex', end + 1, end + 21),
    });
    at = end + 21;
  }
  return entries;
}

export function encodeCommit({ tree, parents, author, time, message }: GitCommit): Buffer {
  const who = `${author} ${time} +0000`;
  const head = [`tree ${tree}`, ...parents.map((parent) => `parent ${parent}`), `author ${who}`, `committer ${who}`];
  return Buffer.from(`${head.join('\n')}\n\n${message}`);
}

export function decodeCommit(content: Buffer): GitCommit {
  const text = content.toString('utf8');
  const gap = text.indexOf('\n\n');
  const head = text.slice(0, gap).split('\n');
  const values = (key: string): string[] =>
    head.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length + 1));
  const who = /^(.*) (\d+) [+-]\d{4}$/.exec(values('author')[0] ?? '');
  return {
    tree: values('tree')[0] ?? '',
    parents: values('parent'),
    author: who?.[1] ?? '',
    time: Number(who?.[2] ?? 0),
    message: text.slice(gap + 2),
  };
}
