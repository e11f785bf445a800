import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { placeDurably } from './durable.ts';
import { withLock } from './lock.ts';
import { type Store, storeLock } from './store.ts';

/** The token that a client of this store's server must send; made on first use. It begins with `hf_`, as clients require. */
export async function hubToken(store: Store): Promise<string> {
  return kept(store, 'token', () => `hf_${randomBytes(24).toString('base64url').replaceAll(/[-_]/g, '0')}`);
}

/** The key that signs upload addresses. It is kept, so that a client can go on with an upload after the server restarts. */
export async function signingSecret(store: Store): Promise<string> {
  return kept(store, 'secret', () => randomBytes(32).toString('hex'));
}

async function kept(store: Store, name: string, make: () => string): Promise<string> {
  const path = join(store.root, name);
  const read = async (): Promise<string> => (await readFile(path, 'utf8').catch(() => '')).trim();
  const found = await read();
  if (found !== '') return found;
  return withLock(storeLock(store), async () => {
    const meanwhile = await read();
    if (meanwhile !== '') return meanwhile;
    const made = make();
    await placeDurably(store, path, made, 0o600);
    return made;
  });
}
