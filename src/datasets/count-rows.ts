import { Readable } from 'node:stream';
import { parquetMetadata } from 'hyparquet';
import { readerOf } from './formats.ts';
import { jsonLinesIn } from './json-lines.ts';

/** The number of rows of a file in memory; throws what reading it throws. */
export async function countRows(path: string, bytes: Uint8Array): Promise<number> {
  const { reader = 'json', compression = 'none' } = readerOf(path) ?? {};
  if (reader === 'parquet') return Number(parquetMetadata(bytes).num_rows);
  let count = 0;
  for await (const _ of jsonLinesIn(Readable.from([bytes]), compression)) count += 1;
  return count;
}
