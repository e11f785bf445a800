import { ZephyrError } from '../errors.ts';
import { type Card, type CardConfig, readCard } from './card.ts';
import { type Format, formatOf, HERE, isData, isOf, NO_DATA, READ, type ReadBy, stemOf } from './formats.ts';
import { hasMagic, matching } from './glob.ts';

/** What is asked of a dataset; without a config its default one. */
export interface Wanted {
  readonly config?: string | undefined;
  readonly split: string;
}

/** A folder of data as far as its layout tells: paths below it, with `/`, and the files that say what belongs together. */
export interface Tree {
  readonly paths: readonly string[];
  readonly readme?: string | undefined;
  /** `.huggingface.yaml` */
  readonly standalone?: string | undefined;
}

export interface Layout {
  /** paths of the split, in the order in which `datasets` reads them */
  readonly files: readonly string[];
  /** the rows that the card says it has */
  readonly promised: number | undefined;
}

type Splits = ReadonlyMap<string, readonly string[]>;

/** Words in the names of files and folders that stand for a split (`SPLIT_KEYWORDS` of `datasets`). */
const WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['train', ['train', 'training']],
  ['validation', ['validation', 'valid', 'dev', 'val']],
  ['test', ['test', 'testing', 'eval', 'evaluation']],
]);
const BESIDE = '[-._ 0-9]';
const SHARDS = 'data/*-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9]*.*';
const SHARD = /^(.+)-\d{5}-of-\d{5}/;
/** Paths as on the branch refs/convert/parquet: CONFIG/SPLIT/0000.parquet. */
const CONVERTED = /^([^/]+)\/([^/]+)\/\d{4}\.\w+(\.\w+)?$/;

/**
 * The files of a split, as `load_dataset(folder, config, split=split)` of `datasets` 5 finds them
 * (github.com/huggingface/datasets, `data_files.py`). Where no card says what belongs together it also knows a split by the
 * name that files carry (`train_sft.jsonl`) and a config by its folder in the layout of refs/convert/parquet. Throws a
 * `ZephyrError` (usage) that names what there is for anything else, and for rows that would be read twice or mixed.
 */
export function resolveSplit(unsorted: Tree, wanted: Wanted, by: ReadBy = HERE): Layout {
  const tree = { ...unsorted, paths: [...unsorted.paths].sort(byCodePoint) };
  refuseSaved(tree);
  const card = readCard(tree.readme, tree.standalone);
  if (card.configs.length > 0) return ofCard(tree.paths, card, wanted, by);
  const converted = convertedFiles(tree.paths, by);
  const { config = 'default', split } = wanted;
  if (config !== 'default') {
    const own = converted.get(config);
    if (own === undefined)
      throw noConfig(config, converted.size === 0 ? ['default'] : [...new Set(['default', ...converted.keys()])]);
    return { files: readable(pick(own, split, `config "${config}"`), by), promised: undefined };
  }
  const splits = formatted(byName(tree.paths));
  const files = splits.get(split) ?? (WORDS.has(split) ? undefined : ownFiles(everyFile(tree, by), converted, split));
  if (files === undefined) throw noSplit(split, '', [...splits.keys()], tree.paths);
  refuseMixing(split, files, splits);
  refuseOther(split, files, splits);
  const taken = new Set(files);
  const mixed = [...converted].filter(([, theirs]) => [...theirs.values()].flat().some((path) => taken.has(path)));
  if (mixed.length > 1)
    throw new ZephyrError(
      `Cannot read split "${split}": it would mix rows of the configs ${listed(mixed.map(([name]) => name))}`,
      {
        hint: 'name one of them as `config` beside the split',
      },
    );
  const promised = card.infos.get('default')?.get(split);
  return { files: readable(files, by), promised: splits.has(split) ? promised : undefined };
}

/** All files of data but hidden ones, of every config and split. */
export function everyFile(tree: Tree, by: ReadBy = HERE): string[] {
  refuseSaved(tree);
  const all = matching(tree.paths, '**').filter((path) => !NO_DATA.has(baseOf(path)));
  const data = all.filter(by.findsByName).sort(byCodePoint);
  // beside data a .json is most often a report or a manifest
  const rows = data.filter((path) => !path.endsWith('.json'));
  return rows.length > 0 ? rows : data;
}

function refuseSaved({ paths }: Tree): void {
  if (!paths.includes('state.json') && !paths.includes('dataset_dict.json')) return;
  throw new ZephyrError(`Cannot read a dataset as save_to_disk writes it, expected ${READ}`, {
    hint: 'load_from_disk(FOLDER) and to_parquet(FILE) of the Python package datasets make Parquet of it',
  });
}

function ofCard(paths: readonly string[], card: Card, { config, split }: Wanted, by: ReadBy): Layout {
  const chosen = chosenConfig(card, config);
  const { folder, files: patterns, name } = chosen;
  const base = folder === '' ? '' : `${folder.replace(/^(\.\/)+/, '').replace(/\/+$/, '')}/`;
  const below = paths.filter((path) => path.startsWith(base)).map((path) => path.slice(base.length));
  const whose = card.configs.length === 1 ? '' : ` of config "${name}"`;
  const splits =
    patterns === undefined ? byName(below) : new Map([...patterns].map(([key, all]) => [key, found(below, all, whose)]));
  const files = splits.get(split);
  if (files === undefined) throw noSplit(split, whose, [...splits.keys()], paths);
  refuseMixing(split, files, splits);
  const data = files.filter(isData);
  if (data.length === 0)
    throw new ZephyrError(`Cannot read split "${split}"${whose}: its card names no file that is there`, { hint: holds(paths) });
  const own = data.map((path) => `${base}${path}`);
  return { files: readable(own, by), promised: card.infos.get(name)?.get(split) };
}

function chosenConfig({ configs, infos }: Card, wanted: string | undefined): CardConfig {
  const names = configs.map(({ name }) => name);
  if (wanted !== undefined) {
    const found = configs.find(({ name }) => name === wanted);
    if (found === undefined) throw noConfig(wanted, names);
    return found;
  }
  const [only] = configs;
  if (configs.length === 1 && only !== undefined) return only;
  const defaults = configs.filter(({ isDefault }) => isDefault);
  if (defaults.length > 1)
    throw new ZephyrError(
      `Cannot choose a config of the dataset: its card marks ${listed(defaults.map(({ name }) => name))} as the default`,
    );
  const [named] = infos.size === 1 ? infos.keys() : [];
  const found = defaults[0] ?? configs.find(({ name }) => name === named);
  if (found === undefined)
    throw new ZephyrError(`Cannot choose a config of the dataset: it has ${listed(names)}, and none is the default`, {
      hint: 'name one of them as `config` beside the split',
    });
  return found;
}

/** What the patterns of a split find, pattern by pattern. */
function found(paths: readonly string[], patterns: readonly string[], whose: string): string[] {
  return patterns.flatMap((given) => {
    const pattern = given.replace(/^(\.\/)+/, '');
    if (/^\/|(^|\/)\.\.(\/|$)|:\/\//.test(pattern))
      throw new ZephyrError(`Cannot read "${given}"${whose}: expected files of the dataset itself`);
    const files = dataOf(paths, pattern);
    if (files.length === 0 && !hasMagic(pattern))
      throw new ZephyrError(`Cannot find "${given}"${whose}, which the card of the dataset names`, { hint: holds(paths) });
    return files;
  });
}

function dataOf(paths: readonly string[], pattern: string): string[] {
  return matching(paths, pattern).filter((path) => !NO_DATA.has(baseOf(path)) || baseOf(path) === baseOf(pattern));
}

/** Files by split where no card tells them: by the names of shards, of folders, of files; else all files are `train`. */
function byName(paths: readonly string[]): Map<string, string[]> {
  const shards = dataOf(paths, SHARDS);
  if (shards.length > 0) {
    const names = [...new Set(shards.map((path) => SHARD.exec(baseOf(path))?.[1] ?? ''))];
    const usual = [...WORDS.keys()].filter((word) => names.includes(word));
    const odd = names.find((name) => !/^\w+(\.\w+)*$/.test(name));
    if (odd !== undefined)
      throw new ZephyrError(`Cannot take "${odd}" for the name of a split: expected letters, digits, _ and .`);
    return new Map(
      [...usual, ...names.filter((name) => !usual.includes(name)).sort()].map((name) => [
        name,
        dataOf(paths, `data/${name}${SHARDS.slice('data/*'.length)}`),
      ]),
    );
  }
  const logs = dataOf(paths, '**/*.eval');
  if (logs.length > 0) return new Map([['logs', logs]]);
  const inFolders = (word: string) => [
    `${word}/**`,
    `${word}${BESIDE}*/**`,
    `*${BESIDE}${word}/**`,
    `*${BESIDE}${word}${BESIDE}*/**`,
  ];
  const inFiles = (word: string) => [`${word}${BESIDE}*`, `*${BESIDE}${word}${BESIDE}*`];
  for (const patterns of [inFolders, inFiles]) {
    const splits = new Map<string, string[]>();
    for (const [split, words] of WORDS) {
      const files = words.flatMap((word) => patterns(word).flatMap((pattern) => dataOf(paths, `**/${pattern}`)));
      if (files.length > 0) splits.set(split, files);
    }
    if (splits.size > 0) return splits;
  }
  const all = dataOf(paths, '**');
  return new Map(all.length === 0 ? [] : [['train', all]]);
}

/** Keeps the files of the format that most files have; all splits must have the same. */
function formatted(splits: Splits): Map<string, string[]> {
  const data = [...splits].map(([split, paths]) => [split, paths.filter(isData)] as const);
  const formats = data.map(([split, paths]) => [split, formatOf(paths)] as const);
  const [, first] = formats[0] ?? [];
  const other = formats.find(([, format]) => format !== first);
  if (other !== undefined)
    throw new ZephyrError(
      `Cannot read a dataset whose splits have several formats: ${formats.map(([split, format]) => `${split} ${format ?? 'none'}`).join(', ')}`,
    );
  if (first === undefined) return new Map();
  return new Map(data.map(([split, paths]) => [split, paths.filter((path) => isOf(first as Format, path))]));
}

function convertedFiles(paths: readonly string[], by: ReadBy): Map<string, Map<string, string[]>> {
  const found = new Map<string, Map<string, string[]>>();
  for (const path of everyFile({ paths }, by)) {
    const [, config = '', split = ''] = CONVERTED.exec(path) ?? [];
    if (config === '') continue;
    const splits = found.get(config) ?? new Map<string, string[]>();
    found.set(config, splits);
    splits.set(split, [...(splits.get(split) ?? []), path]);
  }
  return found;
}

/** A split that `datasets` does not know by this name, all of it in one folder. */
function ownFiles(
  every: readonly string[],
  converted: ReadonlyMap<string, Splits>,
  split: string,
): readonly string[] | undefined {
  const named = every.filter((path) => {
    const stem = stemOf(path);
    return stem.startsWith(split) && /^([-.]\d.*)?$/.test(stem.slice(split.length));
  });
  const own = named.length > 0 ? named : [...converted.values()].flatMap((splits) => splits.get(split) ?? []);
  if (own.length === 0) return undefined;
  const folders = [...new Set(own.map((path) => path.slice(0, -baseOf(path).length)))];
  if (folders.length === 1) return own;
  throw new ZephyrError(
    `Cannot read split "${split}": files of that name lie in ${listed(folders.map((each) => each || './'))}`,
    {
      hint: 'a card with `configs` tells them apart, or `config` where the folders are those of refs/convert/parquet',
    },
  );
}

function refuseMixing(split: string, files: readonly string[], splits: Splits): void {
  const own = new Set<string>();
  const twice = files.find((path) => own.size === own.add(path).size);
  if (twice !== undefined) throw new ZephyrError(`Cannot read split "${split}": "${twice}" would be read twice, by two patterns`);
  if (!splits.has(split)) return;
  for (const [other, theirs] of splits) {
    const shared = other === split ? undefined : theirs.find((path) => own.has(path));
    if (shared === undefined) continue;
    throw new ZephyrError(`Cannot read split "${split}": "${shared}" belongs to split "${other}" as well`, {
      hint: 'rename the file, or tell the splits apart in a card with `configs`',
    });
  }
}

/** A split by the name of its files must not be of another one by the words in their folders: `test/train_sft.jsonl`. */
function refuseOther(split: string, files: readonly string[], splits: Splits): void {
  const isWord = (words: readonly string[]) => words.some((word) => new RegExp(`(^|${BESIDE})${word}(${BESIDE}|$)`).test(split));
  if (splits.has(split) || ![...WORDS.values()].some(isWord)) return;
  const own = new Set(files);
  for (const [other, theirs] of splits) {
    const shared = isWord(WORDS.get(other) ?? []) ? undefined : theirs.find((path) => WORDS.has(other) && own.has(path));
    if (shared !== undefined)
      throw new ZephyrError(`Cannot read split "${split}": "${shared}" belongs to split "${other}" by the name of its folder`);
  }
}

function readable(files: readonly string[], { kindOf, expected }: ReadBy): readonly string[] {
  const strange = files.find((path) => kindOf(path) === undefined);
  if (strange !== undefined) throw new ZephyrError(`Cannot read "${strange}", expected ${expected}`);
  const readers = new Set(files.map(kindOf));
  if (readers.size > 1) throw new ZephyrError(`Cannot read ${listed(files)} as one split: expected files of one format`);
  return files;
}

function pick(splits: Splits, split: string, whose: string): readonly string[] {
  const files = splits.get(split);
  if (files === undefined) throw noSplit(split, ` of ${whose}`, [...splits.keys()], []);
  return files;
}

function noConfig(config: string, names: readonly string[]): ZephyrError {
  return new ZephyrError(`Cannot find config "${config}" of the dataset, expected ${listed(names)}`);
}

function noSplit(split: string, whose: string, splits: readonly string[], paths: readonly string[]): ZephyrError {
  const there = splits.length === 0 ? `expected ${READ}` : `expected ${listed(splits)}`;
  return new ZephyrError(`Cannot find split "${split}"${whose}: ${there}`, paths.length === 0 ? {} : { hint: holds(paths) });
}

function holds(paths: readonly string[]): string {
  const shown = matching(paths, '**').slice(0, 10).join(', ');
  const more = paths.length > 10 ? ` and ${paths.length - 10} more files` : '';
  return `the dataset holds ${shown === '' ? 'no file' : shown + more}`;
}

const listed = (names: readonly string[]): string => names.slice(0, 20).join(', ') + (names.length > 20 ? ', ...' : '');
const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** Python sorts texts so, and with them `datasets`. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
