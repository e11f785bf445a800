import { mkdir, rename } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { asyncBufferFromFile, type Compressors, parquetMetadataAsync, parquetReadObjects, type SchemaElement } from 'hyparquet';
import { fileWriter, ParquetWriter } from 'hyparquet-writer';
import { ZephyrError } from '../errors.ts';

/** `strings` is a list of strings; `{ list }` is a list of structs with these string fields, as chat messages are. */
export type ColumnType = 'string' | 'int' | 'double' | 'bool' | 'strings' | { readonly list: readonly string[] };
export type Columns = Readonly<Record<string, ColumnType>>;
export type Row = Readonly<Record<string, unknown>>;

/** Rows that are held in memory and compressed together. */
const GROUP_ROWS = 1000;

/**
 * Writes rows as Parquet (Snappy), a row group at a time; returns the number of rows. The same rows give the same bytes.
 * Every column may hold null.
 */
export async function writeParquet(path: string, columns: Columns, rows: Iterable<Row> | AsyncIterable<Row>): Promise<number> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.tmp`;
  const writer = fileWriter(temporary);
  const names = Object.keys(columns);
  const file = new ParquetWriter({ writer, schema: schemaOf(columns), createdBy: 'zephyr' });
  let group: Row[] = [];
  let count = 0;

  function writeGroup(): void {
    if (group.length === 0) return;
    file.write({
      columnData: names.map((name) => ({ name, data: group.map((row) => cell(row[name], columns[name] as ColumnType)) })),
      rowGroupSize: GROUP_ROWS,
    });
    count += group.length;
    group = [];
  }
  for await (const row of rows) {
    group.push(row);
    if (group.length === GROUP_ROWS) writeGroup();
  }
  writeGroup();
  await file.finish();
  await rename(temporary, path);
  return count;
}

/**
 * Rows of a Parquet file, a row group at a time; whole numbers as numbers, texts of the type JSON parsed. Only those of `columns`
 * that the file has are read, so that faults of other columns do no harm. Throws a `ZephyrError` (usage) with
 * column and rows for what cannot be read; `name` is what messages call the file.
 */
export async function* readParquet(
  path: string,
  columns?: readonly string[],
  name = basename(path),
): AsyncGenerator<Record<string, unknown>> {
  const { file, metadata } = await openParquet(path, name);
  const there = topColumns(metadata.schema);
  const wanted = columns === undefined ? there : there.filter((column) => columns.includes(column));
  let rowStart = 0;
  for (const { num_rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(num_rows);
    const read = (some: string[]) => parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors, columns: some });
    let rows: Record<string, unknown>[];
    try {
      // a selection of no column would be taken for all of them
      rows = wanted.length === 0 ? Array.from({ length: rowEnd - rowStart }, () => ({})) : await read(wanted);
    } catch (cause) {
      const faulty = await firstFaulty(wanted, read);
      throw damaged(name, `${faulty === undefined ? '' : `column "${faulty}", `}rows ${rowStart + 1} to ${rowEnd}`, cause);
    }
    for (const row of rows) yield inPlace(row);
    rowStart = rowEnd;
  }
}

async function firstFaulty(columns: readonly string[], read: (some: string[]) => Promise<unknown>): Promise<string | undefined> {
  for (const column of columns) {
    const isRead = await read([column]).then(
      () => true,
      () => false,
    );
    if (!isRead) return column;
  }
  return undefined;
}

async function openParquet(path: string, name: string) {
  try {
    const file = await asyncBufferFromFile(path);
    if (file.byteLength < 12) throw new Error(`it has ${file.byteLength} bytes`);
    return { file, metadata: await parquetMetadataAsync(file) };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      throw new ZephyrError(`Cannot read "${name}": it is not there`, { cause });
    throw damaged(name, 'it is no whole Parquet file', cause);
  }
}

function damaged(name: string, what: string, cause: unknown): ZephyrError {
  const [said = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
  const hint = /unsupported|not supported/.test(said)
    ? 'zephyr reads Parquet with the codecs Snappy, gzip, Brotli and Zstandard: write the file again with one of them'
    : 'the file is damaged or cut short: fetch it again, then import the folder again';
  return new ZephyrError(`Cannot read "${name}", ${what}: ${said}`, { hint, cause });
}

/** Names of the top columns, and the number of rows. Throws as `readParquet` does. */
export async function parquetShape(
  path: string,
  name = basename(path),
): Promise<{ readonly columns: string[]; readonly rows: number }> {
  const { metadata } = await openParquet(path, name);
  return { columns: topColumns(metadata.schema), rows: Number(metadata.num_rows) };
}

function topColumns(schema: readonly SchemaElement[]): string[] {
  const columns: string[] = [];
  for (let at = 1, left = schema[0]?.num_children ?? 0; left > 0; left -= 1) {
    columns.push(schema[at]?.name ?? '');
    at = after(schema, at);
  }
  return columns;
}

/** Index of the element after the subtree at `at`. */
function after(schema: readonly SchemaElement[], at: number): number {
  let next = at + 1;
  for (let left = schema[at]?.num_children ?? 0; left > 0; left -= 1) next = after(schema, next);
  return next;
}

/** hyparquet brings Snappy alone; published data sets use these too. */
const compressors: Compressors = {
  GZIP: (input) => new Uint8Array(gunzipSync(input)),
  BROTLI: (input) => new Uint8Array(brotliDecompressSync(input)),
  ZSTD: (input) => new Uint8Array(zstdDecompressSync(input)),
};

function schemaOf(columns: Columns): SchemaElement[] {
  const entries = Object.entries(columns);
  return [{ name: 'root', num_children: entries.length }, ...entries.flatMap(([name, type]) => elements(name, type))];
}

function elements(name: string, type: ColumnType): SchemaElement[] {
  const optional = { name, repetition_type: 'OPTIONAL' } as const;
  if (type === 'string') return [{ ...optional, type: 'BYTE_ARRAY', converted_type: 'UTF8' }];
  if (type === 'int') return [{ ...optional, type: 'INT64' }];
  if (type === 'double') return [{ ...optional, type: 'DOUBLE' }];
  if (type === 'bool') return [{ ...optional, type: 'BOOLEAN' }];
  const list: SchemaElement[] = [
    { ...optional, num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  ];
  if (type === 'strings') return [...list, ...elements('element', 'string')];
  return [
    ...list,
    { name: 'element', repetition_type: 'OPTIONAL', num_children: type.list.length },
    ...type.list.flatMap((field) => elements(field, 'string')),
  ];
}

function cell(value: unknown, type: ColumnType): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'int') return BigInt(value as number);
  return value;
}

/** A fresh row of hyparquet's: most cells are texts, which need no copy. */
function inPlace(row: Record<string, unknown>): Record<string, unknown> {
  for (const name in row) {
    const value = row[name];
    if (typeof value === 'bigint' || typeof value === 'object') row[name] = plain(value);
  }
  return row;
}

/** 64-bit integers come as BigInt, which neither JSON nor arithmetic takes. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object' || value instanceof Date || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}
