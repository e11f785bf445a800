import { open } from 'node:fs/promises';
import { LFS_POINTER } from '../store/lfs-pointer.ts';

/** Both ends of a Parquet file (parquet.apache.org/docs/file-format). */
const PARQUET = 'PAR1';

/**
 * What is wrong with a file, seen from its first and last bytes; undefined when nothing is. Finds a Git LFS pointer by what
 * it says, whatever its name, and a file that is named as Parquet and is none, or not all of one.
 */
export async function dataFault(path: string): Promise<string | undefined> {
  await using file = await open(path);
  const { size } = await file.stat();
  const read = async (at: number, length: number) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
    return buffer.subarray(0, bytesRead);
  };
  const head = (await read(0, LFS_POINTER.length)).toString('latin1');
  if (head === LFS_POINTER) return 'it is a Git LFS pointer, not the file: git lfs pull';
  if (!path.endsWith('.parquet')) return undefined;
  if (!head.startsWith(PARQUET)) return size === 0 ? 'it is empty, and no Parquet file' : 'it is no Parquet file';
  const tail = size < 12 ? Buffer.alloc(0) : await read(size - 8, 8);
  if (tail.toString('latin1', 4) !== PARQUET || tail.readUInt32LE(0) > size - 12)
    return 'it is no whole Parquet file, its end is missing';
  return undefined;
}
