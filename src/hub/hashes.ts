import { createHash } from 'node:crypto';

export interface Hashes {
  /** bytes */
  readonly size: number;
  readonly sha256: string;
  /** the id that git would give to a file of the size that was expected */
  readonly git: string;
}

/** Hashes bytes as they pass: the sha256 that names them, and the id that git would give them. `size` is what is expected. */
export function hasher(size: number): { update(piece: Uint8Array): void; length(): number; done(): Hashes } {
  const sha256 = createHash('sha256');
  const git = createHash('sha1').update(`blob ${size}\0`);
  let length = 0;
  return {
    update: (piece) => {
      sha256.update(piece);
      git.update(piece);
      length += piece.length;
    },
    length: () => length,
    done: () => ({ size: length, sha256: sha256.digest('hex'), git: git.digest('hex') }),
  };
}
