import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from './store.ts';

/** Marks a large file that a reference has led to and soon may not: `reclaim` looks at these alone. */
export async function markDropped(store: Store, sha256: string): Promise<void> {
  await writeFile(join(store.root, 'dropped', sha256), '');
}

export async function listDropped(store: Store): Promise<string[]> {
  return (await readdir(join(store.root, 'dropped'))).filter((name) => /^[0-9a-f]{64}$/.test(name)).sort();
}

export async function unmarkDropped(store: Store, sha256: string): Promise<void> {
  await rm(join(store.root, 'dropped', sha256), { force: true });
}
