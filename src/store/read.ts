import { objectId } from './git-object.ts';
import { readObject } from './objects.ts';

/** A blob's bytes as the commit holds them (of a large file, its pointer); `damaged` when they are not those of the id. */
export async function readBlob(
  repo: string,
  id: string,
): Promise<{ readonly ok: true; readonly bytes: Buffer } | { readonly ok: false; readonly actual: string }> {
  const bytes = await readObject(repo, 'blob', id).catch(() => undefined);
  if (bytes === undefined) return { ok: false, actual: 'unreadable' };
  const actual = objectId('blob', bytes);
  return actual === id ? { ok: true, bytes } : { ok: false, actual };
}
