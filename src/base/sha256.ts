import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

/** sha256 of a text (UTF-8) or of bytes, as 64 hex digits. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** sha256 of a file, read in pieces of 1 MiB: below that the system calls cost more than the hash. Throws what stops it. */
export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of piecesOf(path, signal)) hash.update(piece);
  return hash.digest('hex');
}

/** The bytes of a file in pieces of 1 MiB, each of them valid until the next one is asked for. */
export async function* piecesOf(path: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
  await using file = await open(path);
  const buffer = Buffer.allocUnsafe(1 << 20);
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
