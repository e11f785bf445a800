import { createHash } from 'node:crypto';
import { piecesOf } from '../base/sha256.ts';

export interface Hashes {
  /** bytes */
  readonly size: number;
  readonly sha256: string;
  /** the id that git would give to a file of the size that was expected */
  readonly git: string;
}

/** Hashes bytes: the sha256 that names them, and the id that git gives them where `size` is how many they are. */
export async function hashesOf(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, size: number): Promise<Hashes> {
  const sha256 = createHash('sha256');
  const git = createHash('sha1').update(`blob ${size}\0`);
  let length = 0;
  for await (const piece of pieces) {
    sha256.update(piece);
    git.update(piece);
    length += piece.length;
  }
  return { size: length, sha256: sha256.digest('hex'), git: git.digest('hex') };
}

/** What lies in a file, hashed. */
export async function hashFile(path: string, size: number, signal?: AbortSignal): Promise<Hashes> {
  return await hashesOf(piecesOf(path, signal), size);
}
