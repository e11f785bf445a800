/** What a commit holds of a large file: github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
export interface LfsPointer {
  /** 64 hex digits */
  readonly sha256: string;
  /** bytes */
  readonly size: number;
}

/** The first line, which all pointers have and no other file. */
export const LFS_POINTER = 'version https://git-lfs.github.com/spec/v1\n';

const REST = /^oid sha256:([0-9a-f]{64})\nsize (\d+)\n$/;

/** No pointer text is longer: 43 + 76 bytes of fixed lines and a size of at most 16 digits. */
export const MAX_POINTER_BYTES = 150;

export function pointerText({ sha256, size }: LfsPointer): string {
  return `${LFS_POINTER}oid sha256:${sha256}\nsize ${size}\n`;
}

export function parsePointer(content: Uint8Array): LfsPointer | undefined {
  if (content.length > MAX_POINTER_BYTES) return undefined;
  const text = Buffer.from(content).toString('latin1');
  const match = text.startsWith(LFS_POINTER) ? REST.exec(text.slice(LFS_POINTER.length)) : null;
  return match === null ? undefined : { sha256: match[1] as string, size: Number(match[2]) };
}
