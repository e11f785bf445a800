import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { ZephyrError } from '../errors.ts';

/** One config of a card: which files belong to which split, as patterns; without `files` they are told by their names. */
export interface CardConfig {
  readonly name: string;
  readonly isDefault: boolean;
  /** folder that the patterns begin at */
  readonly folder: string;
  readonly files: ReadonlyMap<string, readonly string[]> | undefined;
}

export interface Card {
  readonly configs: readonly CardConfig[];
  /** Rows of each split as `dataset_info` has them, by config. */
  readonly infos: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

const SPLIT = /^\w+(\.\w+)*$/;
const name = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const paths = z.union([z.string().transform((path) => [path]), z.array(z.string())]);
const ofSplits = z.array(z.strictObject({ split: name.refine((split) => SPLIT.test(split)), path: paths }));
const dataFiles = z.union([paths.transform((all) => [{ split: 'train', path: all }]), ofSplits]);
const configs = z.array(
  z.looseObject({
    config_name: name,
    default: z.boolean().nullish(),
    data_dir: z.string().nullish(),
    data_files: dataFiles.nullish(),
  }),
);
const info = z.looseObject({
  config_name: name.nullish(),
  splits: z.array(z.looseObject({ name, num_examples: z.number().nullish() })).nullish(),
});
const infos = z.union([z.array(info), info.transform((one) => [one])]);

/** The head of a README.md, and `.huggingface.yaml`, whose members go before it. Throws where `datasets` throws. */
export function readCard(readme: string | undefined, standalone: string | undefined): Card {
  // some editors put a byte order mark before the rulers
  const head = /^\s*---[\r\n]+(.*?)[\r\n]+---(?:\r\n|\r|\n|$)/s.exec((readme ?? '').replace(/^\uFEFF/, ''))?.[1];
  const members = { ...membersOf(head, 'README.md'), ...membersOf(standalone, '.huggingface.yaml') };
  const found = members.configs === undefined || members.configs === null ? [] : configsOf(members.configs);
  const rows = new Map<string, ReadonlyMap<string, number>>();
  for (const { config_name, splits } of infos.safeParse(members.dataset_info ?? []).data ?? [])
    rows.set(
      config_name ?? 'default',
      new Map((splits ?? []).flatMap(({ name: split, num_examples: count }) => (count == null ? [] : [[split, count] as const]))),
    );
  return { configs: found, infos: rows };
}

function membersOf(text: string | undefined, file: string): Readonly<Record<string, unknown>> {
  if (text === undefined || text.trim() === '') return {};
  let value: unknown;
  try {
    // as PyYAML reads it: `yes` is true
    value = parse(text, { version: '1.1' });
  } catch (cause) {
    const [first = ''] = (cause as Error).message.split('\n');
    throw new ZephyrError(`Cannot read the head of "${file}", expected YAML: ${first}`, { cause });
  }
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function configsOf(value: unknown): CardConfig[] {
  const parsed = configs.safeParse(value);
  if (!parsed.success) {
    const at = parsed.error.issues[0]?.path.join('.') ?? '';
    throw new ZephyrError(
      `Cannot read configs${at === '' ? '' : `.${at}`} in the card of the dataset: expected a list of {config_name, data_files} with data_files as a path, a list of paths, or a list of {split, path}`,
    );
  }
  return parsed.data.map(({ config_name, default: isDefault, data_dir, data_files }) => {
    const splits = data_files?.map(({ split }) => split) ?? [];
    const twice = splits.find((split, index) => splits.indexOf(split) !== index);
    if (twice !== undefined)
      throw new ZephyrError(`Cannot read config "${config_name}" in the card of the dataset: it has the split "${twice}" twice`);
    return {
      name: config_name,
      isDefault: isDefault === true || config_name === 'default',
      folder: data_dir ?? '',
      files: data_files == null ? undefined : new Map(data_files.map(({ split, path }) => [split, path])),
    };
  });
}

/** The head of a dataset's card: which files belong to which config and split. */
export function datasetCard(
  title: string,
  about: string,
  configs: Readonly<Record<string, Readonly<Record<string, string>>>>,
): string {
  const listed = Object.entries(configs).map(([name, splits]) => ({
    config_name: name,
    data_files: Object.entries(splits).map(([split, path]) => ({ split, path })),
  }));
  return `---\n${stringify({ configs: listed, tags: ['zephyr'] })}---\n\n# ${title}\n\n${about}\n`;
}

/** A table of Markdown whose cells may hold anything. */
export function markdownTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.map(markdownCell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function markdownCell(value: string | number): string {
  return String(value).replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll(/\s+/g, ' ');
}
