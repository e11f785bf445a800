import { open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RepoId } from '../model/artifact.ts';
import { mkdirDurably, placeDurably } from './durable.ts';
import { isRunBranch } from './names.ts';
import type { Touched } from './objects.ts';
import type { Store } from './store.ts';

/**
 * Who leads to a large file. The index of them, `holders/ab/<sha256>~<repo>~<run>`, empty files, makes giving back space cost
 * what changed instead of a walk of all repos. A name is there, durably, before the reference that leads to the file is
 * written; that it leads there no more is found out later. So the index may name too many holders and never too few,
 * whenever a process is killed. `holders/complete` says that a `prune` has entered what was there before the index.
 */
export interface Holder {
  readonly repo: RepoId;
  /** The run whose branch leads to the file by its newest commit; undefined for the history of all other branches and tags. */
  readonly run: string | undefined;
}

const COMPLETE = 'complete';

export function holderOf({ type, name }: RepoId, kind: 'heads' | 'tags', ref: string): Holder {
  return { repo: { type, name }, run: kind === 'heads' && isRunBranch(ref) ? ref : undefined };
}

/** Joins the parts of a name in the index by `~`, which no name contains; `--` is in no repo's name and stands for the slash. */
export function holderName(sha256: string, { repo, run }: Holder): string {
  return `${sha256}~${repo.type}s--${repo.name.replace('/', '--')}~${run ?? ''}`;
}

function parseHolder(name: string): Holder | undefined {
  const [, type, space, own, run] = /^[0-9a-f]{64}~(model|dataset)s--(.+?)--(.+)~(.*)$/.exec(name) ?? [];
  if (type === undefined) return undefined;
  return { repo: { type: type as RepoId['type'], name: `${space}/${own}` }, run: run === '' ? undefined : run };
}

function pathOf(store: Store, name: string): string {
  return join(store.root, 'holders', name.slice(0, 2), name);
}

/** Says that a reference is about to lead to a large file. Durable once `touched` is synced. */
export async function addHolder(store: Store, name: string, touched: Touched): Promise<void> {
  const path = pathOf(store, name);
  touched.add(dirname(path));
  if ((await stat(path).catch(() => undefined)) !== undefined) return;
  await mkdirDurably(dirname(path));
  await (await open(path, 'a')).close();
}

export async function removeHolder(store: Store, name: string): Promise<void> {
  await rm(pathOf(store, name), { force: true });
}

export async function holdersOf(store: Store, sha256: string): Promise<Holder[]> {
  const names = await readdir(join(store.root, 'holders', sha256.slice(0, 2))).catch(() => []);
  return names.filter((name) => name.startsWith(`${sha256}~`)).flatMap((name) => parseHolder(name) ?? []);
}

/** The names of all holders; with a repo, of its own. */
export async function holderNames(store: Store, repo?: RepoId): Promise<string[]> {
  const entries = await readdir(join(store.root, 'holders'), { recursive: true, withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isFile() && entry.name !== COMPLETE).map(({ name }) => name);
  const infix = repo === undefined ? '' : holderName('', { repo, run: undefined });
  return names.filter((name) => name.startsWith(infix, 64));
}

export async function isComplete(store: Store): Promise<boolean> {
  return (await stat(join(store.root, 'holders', COMPLETE)).catch(() => undefined)) !== undefined;
}

export async function setComplete(store: Store): Promise<void> {
  if (!(await isComplete(store))) await placeDurably(store, join(store.root, 'holders', COMPLETE), '');
}

/** Called when a holder could not be entered or marked: the next `reclaim` is then a `prune`, which looks at everything. */
export async function setIncomplete(store: Store): Promise<void> {
  await rm(join(store.root, 'holders', COMPLETE), { force: true });
}
