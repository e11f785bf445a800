/** What a commit holds of a large file: github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
export interface LfsPointer {
  /** 64 hex digits */
  readonly sha256: string;
  /** bytes */
  readonly size: number;
}

const POINTER = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n$/;

/** No pointer text is longer: 43 + 76 bytes of fixed lines and a size of at most 16 digits. */
export const MAX_POINTER_BYTES = 150;

export function pointerText({ sha256, size }: LfsPointer): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;
}

export function parsePointer(content: Uint8Array): LfsPointer | undefined {
  if (content.length > MAX_POINTER_BYTES) return undefined;
  const match = POINTER.exec(Buffer.from(content).toString('latin1'));
  return match === null ? undefined : { sha256: match[1] as string, size: Number(match[2]) };
}
