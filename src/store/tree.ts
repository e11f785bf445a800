import type { GitTreeEntry } from './git-object.ts';
import { encodeTree } from './git-object.ts';
import type { LfsPointer } from './lfs-pointer.ts';
import { blobFacts, readTree, type Touched, writeObject } from './objects.ts';
import type { Store } from './store.ts';

/** A file or a folder of a commit. */
export interface StoredEntry {
  readonly kind: 'file' | 'folder';
  readonly path: string;
  /** git object id: of a large file, of its pointer */
  readonly id: string;
  /** bytes of the file itself; 0 of a folder */
  readonly size: number;
  readonly lfs: LfsPointer | undefined;
}

/** Blob ids by path: a tree as one flat list. */
export async function flatten(store: Store, repo: string, tree: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const walk = async (folder: string, prefix: string): Promise<void> => {
    for (const { kind, name, id } of await readTree(store, repo, folder)) {
      if (kind === 'tree') await walk(id, `${prefix}${name}/`);
      else files.set(prefix + name, id);
    }
  };
  await walk(tree, '');
  return files;
}

/** Writes the tree objects of a flat list and returns the root's id. */
export async function writeTree(
  store: Store,
  repo: string,
  files: ReadonlyMap<string, string>,
  touched: Touched,
): Promise<string> {
  const folders = new Map<string, Map<string, string>>();
  const entries: GitTreeEntry[] = [];
  for (const [path, id] of files) {
    const slash = path.indexOf('/');
    if (slash < 0) entries.push({ kind: 'blob', name: path, id });
    else {
      const folder = path.slice(0, slash);
      const inside = folders.get(folder) ?? new Map<string, string>();
      folders.set(folder, inside.set(path.slice(slash + 1), id));
    }
  }
  for (const [name, inside] of folders) entries.push({ kind: 'tree', name, id: await writeTree(store, repo, inside, touched) });
  return writeObject(store, repo, { kind: 'tree', content: encodeTree(entries) }, touched);
}

/** The first path that is a file and at the same time a folder of another file. */
export function pathConflict(files: ReadonlyMap<string, unknown>): string | undefined {
  for (const path of files.keys()) {
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      if (files.has(path.slice(0, slash))) return path.slice(0, slash);
    }
  }
  return undefined;
}

async function describe(store: Store, repo: string, path: string, entry: GitTreeEntry): Promise<StoredEntry> {
  if (entry.kind === 'tree') return { kind: 'folder', path, id: entry.id, size: 0, lfs: undefined };
  // the size is not known; a caller that reads the bytes learns then that the object is missing or damaged
  const { size, lfs } = await blobFacts(store, repo, entry.id).catch(() => ({ size: 0, lfs: undefined }));
  return { kind: 'file', path, id: entry.id, size: lfs?.size ?? size, lfs };
}

/** The entry at a path; the root for an empty path; `undefined` when there is none. */
export async function findEntry(store: Store, repo: string, tree: string, path: string): Promise<StoredEntry | undefined> {
  let entry: GitTreeEntry = { kind: 'tree', name: '', id: tree };
  for (const part of path === '' ? [] : path.split('/')) {
    if (entry.kind !== 'tree') return undefined;
    const next: GitTreeEntry | undefined = (await readTree(store, repo, entry.id)).find(({ name }) => name === part);
    if (next === undefined) return undefined;
    entry = next;
  }
  return describe(store, repo, path, entry);
}

/** The entries of a folder, and with `recursive` of all below it, sorted by path. */
export async function listEntries(
  store: Store,
  repo: string,
  tree: string,
  options: { prefix?: string; recursive: boolean },
): Promise<StoredEntry[]> {
  const found: StoredEntry[] = [];
  const walk = async (id: string, prefix: string): Promise<void> => {
    for (const entry of await readTree(store, repo, id)) {
      found.push(await describe(store, repo, prefix + entry.name, entry));
      if (options.recursive && entry.kind === 'tree') await walk(entry.id, `${prefix}${entry.name}/`);
    }
  };
  await walk(tree, options.prefix ?? '');
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}
