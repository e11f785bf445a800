import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { objectIn } from '../../../base/ndjson.ts';
import { parquetShape, type Row, readParquet } from '../../../datasets/parquet.ts';
import { ZephyrError } from '../../../errors.ts';

/** A row with its place in words, `train.jsonl, line 3`; without `row` the line is no JSON object and `text` says what it is. */
export type Placed =
  | { readonly at: string; readonly number: number; readonly row: Row }
  | { readonly at: string; readonly number: number; readonly row: undefined; readonly text: string };

/** Every row of these files, malformed lines of JSON Lines among them: nothing is thrown before all was seen. */
export async function* placedRows(paths: readonly string[], column: string | null): AsyncGenerator<Placed> {
  let number = 0;
  for (const path of paths) {
    const name = basename(path);
    if (path.endsWith('.parquet')) {
      const { columns } = await parquetShape(path);
      if (column !== null && !columns.includes(column))
        throw new ZephyrError(`Cannot read "${name}": expected a column "${column}"`, {
          hint: `It has ${columns.join(', ')}.`,
        });
      let place = 0;
      for await (const row of readParquet(path)) {
        number += 1;
        place += 1;
        yield { at: `${name}, row ${place}`, number, row };
      }
      continue;
    }
    let line = 0;
    for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      line += 1;
      if (text.trim() === '') continue;
      number += 1;
      const row = objectIn(text);
      const at = `${name}, line ${line}`;
      yield row === undefined ? { at, number, row, text } : { at, number, row };
    }
  }
}
