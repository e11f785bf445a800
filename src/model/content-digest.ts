import { sha256 } from '../base/sha256.ts';

export interface FileDigest {
  readonly path: string;
  /** bytes */
  readonly size: number;
  /** 64 hex digits */
  readonly sha256: string;
}

/** Files that tell about an artifact and are not part of it: they may differ between Hubs and between attempts. */
const ABOUT: ReadonlySet<string> = new Set(['README.md', '.gitattributes', 'zephyr.json']);

/**
 * The name of an artifact's bytes, the same on every Hub: sha256 over one line "path\0size\0sha256\n" a file, sorted by
 * path, without the card, `.gitattributes` and the manifest.
 */
export function contentDigest(files: readonly FileDigest[]): string {
  const lines = files
    .filter(({ path }) => !ABOUT.has(path))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, size, sha256: hash }) => `${path}\0${size}\0${hash}\n`);
  return sha256(lines.join(''));
}
