import { createReadStream, type Dirent, readdirSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { Readable } from 'node:stream';
import { parquetMetadata } from 'hyparquet';
import { ZephyrError } from '../errors.ts';
import { LFS_POINTER } from '../store/lfs-pointer.ts';
import { pointerFound, READ, readerOf } from './formats.ts';
import { jsonLinesIn } from './json-lines.ts';
import { everyFile, resolveSplit, type Tree, type Wanted } from './layout.ts';
import { parquetShape, type Row, readParquet } from './parquet.ts';

/** A file of data; messages call it `name`, its path below the dataset. */
export interface DataFile {
  readonly path: string;
  readonly name: string;
}

/** Which columns a reader asks for. */
export interface ColumnChoice {
  /** Only these are read of Parquet, so that faults of other columns do no harm; without it all are. */
  readonly columns?: readonly string[];
  /** A Parquet file without this column is refused. */
  readonly required?: string;
}

/** A row with its place in words, `train.jsonl, line 3`; without `row` the line is no JSON object and `text` says what it is. */
export type Placed =
  | { readonly at: string; readonly number: number; readonly row: Row }
  | { readonly at: string; readonly number: number; readonly row: undefined; readonly text: string };

export interface Split {
  readonly files: readonly DataFile[];
  /** the rows that the card of the dataset says it has */
  readonly promised: number | undefined;
}

/** Where a split of a dataset's folder lies. Throws a `ZephyrError` (usage) that names what there is instead. */
export async function openSplit(folder: string, wanted: Wanted): Promise<Split> {
  const { files, promised } = resolveSplit(await treeOf(folder), wanted);
  return { files: files.map((name) => ({ path: join(folder, name), name })), promised };
}

/** All files of a dataset's folder that can be read, of every config and split. Throws (usage) where there is none. */
export async function allFiles(folder: string): Promise<DataFile[]> {
  const tree = await treeOf(folder);
  const files = everyFile(tree).map((name) => ({ path: join(folder, name), name }));
  if (files.length > 0) return files;
  const shown = tree.paths.slice(0, 10).join(', ');
  throw new ZephyrError(`Cannot find rows in the dataset, expected ${READ}`, {
    hint: `it holds ${shown === '' ? 'no file' : shown}`,
  });
}

async function treeOf(folder: string): Promise<Tree> {
  const entries: Dirent[] = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
  const text = async (name: string) => (paths.includes(name) ? await readFile(join(folder, name), 'utf8') : undefined);
  return { paths, readme: await text('README.md'), standalone: await text('.huggingface.yaml') };
}

/**
 * Every row of a split in the order of its files, lines that are no JSON among them, so that nothing is thrown before all was
 * seen. Throws a `ZephyrError` (usage) with file and row for a file that cannot be read, and at the end for a split of more
 * or fewer rows than promised.
 */
export async function* placedRows({ files, promised }: Split, columns: ColumnChoice = {}): AsyncGenerator<Placed> {
  let number = 0;
  for (const file of files)
    for await (const placed of fileRows(file, columns)) {
      number += 1;
      yield { ...placed, number };
    }
  if (promised !== undefined && promised !== number)
    throw new ZephyrError(`Cannot take the split: it has ${number} rows, and the card of the dataset says ${promised}`, {
      hint: `of ${files.map(({ name }) => name).join(', ')}; dataset_info in the card belongs to other data`,
    });
}

/** The rows of a split. Throws a `ZephyrError` (usage) with file and line for one that is no JSON object. */
export async function* readSplit(folder: string, wanted: Wanted, columns: ColumnChoice = {}): AsyncGenerator<Row> {
  for await (const placed of placedRows(await openSplit(folder, wanted), columns)) yield rowOf(placed);
}

/** Rows of one Parquet or JSON Lines file. */
export async function* readRows(path: string, columns?: readonly string[]): AsyncGenerator<Row> {
  for await (const placed of fileRows({ path, name: basename(path) }, columns === undefined ? {} : { columns }))
    yield rowOf(placed);
}

function rowOf(placed: Placed): Row {
  if (placed.row === undefined)
    throw new ZephyrError(`Cannot read ${placed.at}: expected a JSON object`, { hint: `it says ${placed.text.slice(0, 60)}` });
  return placed.row;
}

async function* fileRows(file: DataFile, { columns, required }: ColumnChoice): AsyncGenerator<Placed> {
  const { path, name } = file;
  const { reader = 'json', compression = 'none' } = readerOf(path) ?? {};
  let at = name;
  try {
    await refusePointer(file);
    if (reader === 'parquet') {
      if (required !== undefined) await requireColumn(file, required);
      let number = 0;
      for await (const row of readParquet(path, columns, name)) {
        number += 1;
        at = `${name}, row ${number}`;
        yield { at, number, row };
      }
    } else
      for await (const line of jsonLinesIn(createReadStream(path), compression)) {
        at = `${name}, line ${line.number}`;
        yield { ...line, at };
      }
  } catch (cause) {
    throw faultOf(cause, name, at);
  }
}

/** The columns of a split that was read, by its first file; of JSON Lines those of its first row. */
export async function columnsOf({ files: [file] }: Split): Promise<readonly string[]> {
  if (file === undefined) return [];
  if (readerOf(file.path)?.reader === 'parquet') return (await parquetShape(file.path, file.name)).columns;
  for await (const { row } of fileRows(file, {})) if (row !== undefined) return Object.keys(row);
  return [];
}

async function requireColumn({ path, name }: DataFile, column: string): Promise<void> {
  const { columns } = await parquetShape(path, name);
  if (columns.includes(column)) return;
  throw new ZephyrError(`Cannot read "${name}": expected a column "${column}"`, { hint: `It has ${columns.join(', ')}.` });
}

async function refusePointer({ path, name }: DataFile): Promise<void> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(LFS_POINTER.length), 0, LFS_POINTER.length, 0);
  if (buffer.toString('latin1', 0, bytesRead) === LFS_POINTER) throw pointerFound(name);
}

/** Whatever a reader throws is a fault of the data. */
function faultOf(cause: unknown, name: string, at: string): unknown {
  if (cause instanceof ZephyrError || !(cause instanceof Error)) return cause;
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new ZephyrError(`Cannot read "${name}": it is not there`, { cause });
  const after = at === name ? '' : ` after ${at.slice(name.length + 2)}`;
  return new ZephyrError(`Cannot read "${name}"${after}: ${cause.message.split('\n')[0]}`, {
    hint: 'the file is damaged or cut short, or is not what its ending says: fetch it again',
    cause,
  });
}

/** The number of rows of a file in memory; throws what reading it throws. */
export async function countRows(path: string, bytes: Uint8Array): Promise<number> {
  const { reader = 'json', compression = 'none' } = readerOf(path) ?? {};
  if (reader === 'parquet') return Number(parquetMetadata(bytes).num_rows);
  let count = 0;
  for await (const _ of jsonLinesIn(Readable.from([bytes]), compression)) count += 1;
  return count;
}
