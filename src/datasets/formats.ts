import { basename } from 'node:path';
import { ZephyrError } from '../errors.ts';

/** What files hold, as `datasets` tells by their endings; of these zephyr reads the first two. */
export type Format = string;

/** What messages say of formats that are not read. */
export const READ = 'Parquet or JSON Lines (.parquet, .jsonl, .ndjson, .json, also .gz and .zst)';

/** Endings by the packaged module that reads them in `datasets` 5 (`packaged_modules/__init__.py`). */
const ENDINGS: Readonly<Record<string, string>> = {
  csv: 'csv tsv',
  json: 'json jsonl ndjson',
  parquet: 'parquet geoparquet gpq',
  arrow: 'arrow',
  text: 'txt',
  conll: 'conll conllu',
  webdataset: 'tar',
  xml: 'xml',
  hdf5: 'hdf5 h5',
  eval: 'eval',
  lance: 'lance',
  tsfile: 'tsfile',
  imagefolder:
    'blp bmp dib bufr cur pcx dcx dds ps eps fit fits fli flc ftc ftu gbr gif grib png apng jp2 j2k jpc jpf jpx j2c icns ico ' +
    'im iim tif tiff jfif jpe jpg jpeg msp pcd pxr pbm pgm ppm pnm psd bw rgb rgba sgi ras tga icb vda vst webp wmf emf xbm xpm',
  audiofolder:
    'mpg aiff au avr caf flac htk svx mat4 mat5 mpc2k ogg paf pvf raw rf64 sd2 sds ircam voc w64 wav nist wavex wve xi mp3 opus ' +
    '3gp 3g2 asf flv m4v webm f4v wmv wma ogm mxf nut',
  videofolder: 'mpeg avi mp4 mov mkv',
  meshfolder: 'glb ply stl',
  pdffolder: 'pdf',
  niftifolder: 'nii',
  zip: 'zip',
};
const FORMAT_OF: ReadonlyMap<string, Format> = new Map(
  Object.entries(ENDINGS).flatMap(([format, endings]) => endings.split(' ').map((ending) => [ending, format] as const)),
);
/** The order in which formats win with equally many files; after them the last in the alphabet wins. */
const FAVOURITES = ['parquet', 'lance', 'arrow', 'jsonl', 'json', 'csv'] as const;
/** They describe pictures beside them. */
const METADATA = /^metadata\.(csv|jsonl|parquet)$/;
/** What `datasets` lays beside data and never takes for it (`FILES_TO_IGNORE`). */
export const NO_DATA: ReadonlySet<string> = new Set([
  'README.md',
  'config.json',
  'dataset_info.json',
  'dataset_infos.json',
  'dummy_data.zip',
  'dataset_dict.json',
]);

const endingsOf = (path: string): string[] => basename(path).split('.').slice(1);

/** Whether `datasets` would look at a file at all. */
export function isData(path: string): boolean {
  return endingsOf(path).some((ending) => FORMAT_OF.has(ending) || FORMAT_OF.get(ending.toLowerCase()) === 'imagefolder');
}

/** The format of most files decides, of a file with several endings all of them; undefined where there is none. */
export function formatOf(paths: readonly string[]): Format | undefined {
  const counts = new Map<string, { readonly ending: string; readonly isMetadata: boolean; count: number }>();
  for (const path of paths)
    for (const ending of endingsOf(path)) {
      const entry = { ending: ending.toLowerCase(), isMetadata: METADATA.test(basename(path)), count: 0 };
      const key = `${entry.ending} ${entry.isMetadata}`;
      counts.set(key, counts.get(key) ?? entry);
      (counts.get(key) ?? entry).count += 1;
    }
  const favour = (ending: string) => {
    const at = FAVOURITES.indexOf(ending as (typeof FAVOURITES)[number]);
    return at < 0 ? FAVOURITES.length : at;
  };
  const ranked = [...counts.values()].sort(
    (a, b) =>
      Number(a.isMetadata) - Number(b.isMetadata) ||
      b.count - a.count ||
      favour(a.ending) - favour(b.ending) ||
      (a.ending < b.ending ? 1 : -1),
  );
  return ranked.map(({ ending }) => FORMAT_OF.get(ending)).find((format) => format !== undefined);
}

/** Whether an ending of a format, or one and more behind it, ends the path: `train.jsonl`, `train.jsonl.gz`. */
export function isOf(format: Format, path: string): boolean {
  const endings = `${ENDINGS[format] ?? ''} zip`.trim().replaceAll(' ', '|');
  return new RegExp(`\\.(${endings})(\\..+)?$`).test(path);
}

export type Reader = 'parquet' | 'json';
export type Compression = 'none' | 'gzip' | 'zstd';

/** How zephyr reads a file; undefined where it does not. */
export function readerOf(path: string): { readonly reader: Reader; readonly compression: Compression } | undefined {
  const match = /\.(?:(parquet|geoparquet|gpq)|(?:jsonl|ndjson|json)(\.gz|\.zst)?)$/.exec(basename(path));
  if (match === null) return undefined;
  const compression = match[2] === '.gz' ? 'gzip' : match[2] === '.zst' ? 'zstd' : 'none';
  return { reader: match[1] === undefined ? 'json' : 'parquet', compression };
}

/** Who reads a dataset: which files may be those of a split, and which are found by their names where no card says what they are. */
export interface ReadBy {
  /** Files of one split must be of one kind. */
  readonly kindOf: (path: string) => string | undefined;
  readonly findsByName: (path: string) => boolean;
  /** for messages */
  readonly expected: string;
}

export const HERE: ReadBy = {
  kindOf: (path) => readerOf(path)?.reader,
  findsByName: (path) => readerOf(path) !== undefined,
  expected: READ,
};

const FORMATS_IN_JOBS: readonly unknown[] = ['json', 'parquet', 'csv', 'text', 'arrow', 'zip'];

/** As scripts/train/dataset_files.py has it; whether files of several kinds fit together is left to `datasets`. */
export const IN_JOBS: ReadBy = {
  kindOf: (path) =>
    endingsOf(path).some((ending) => FORMATS_IN_JOBS.includes(FORMAT_OF.get(ending.toLowerCase()))) ? 'rows' : undefined,
  findsByName: (path) => /\.(?:parquet|jsonl|ndjson|json|csv|tsv)(?:\.(?:gz|bz2|xz|zst))*$/.test(basename(path)),
  expected: 'Parquet, JSON Lines (.jsonl, .ndjson, .json), CSV, Arrow or text, also .gz, .zst, .bz2 and .xz',
};

/** Git LFS leaves a text of three lines in place of a file that was not fetched. */
export function pointerFound(name: string): ZephyrError {
  return new ZephyrError(`Cannot read "${name}": it is a Git LFS pointer, not the file`, {
    hint: 'git lfs pull fetches the file; then bring the dataset to the Hub again',
  });
}

/** A file's name without the endings that say how it is written: `train_sft` of `train_sft.jsonl.gz`. */
export function stemOf(path: string): string {
  return basename(path)
    .replace(/\.(?:gz|zst|bz2|xz)$/, '')
    .replace(/\.(?:parquet|geoparquet|gpq|jsonl|ndjson|json|csv|tsv)$/, '');
}
