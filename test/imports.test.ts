import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { test } from 'node:test';
import { PARTS } from '../src/stages/eval/parts.ts';
import { STAGES } from '../src/stages/registry.ts';

const RANKS: Readonly<Record<string, number>> = Object.fromEntries(
  [
    ['base', 'errors.ts'],
    ['model'],
    ['store'],
    ['hub', 'hub-server', 'teachers', 'practice', 'runs', 'render'],
    ['backends', 'calls'],
    ['datasets', 'judging'],
    ['stages'],
    ['recipe'],
    ['plan', 'evaluations'],
    ['chat', 'engine', 'report'],
    ['commands'],
    ['verbs'],
    ['cli.ts'],
  ].flatMap((names, rank) => names.map((name) => [name, rank])),
);

/**
 * The sub-folders of a folder that has several: a file imports from earlier ones only, types included. Stages are in the
 * order in which they run. In `stages/aif` `judge` comes before `answers`, which asks the judge's calls in advance.
 */
const SUBFOLDERS: Readonly<Record<string, readonly string[]>> = {
  stages: ['generated', ...STAGES.map(({ name }) => name)],
  'stages/eval': PARTS.map(({ name }) => name),
  'stages/aif': ['prompts', 'judge', 'answers', 'pairs'],
};

/** Third-party packages that have a home: a file's path must begin with one of these. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  execa: ['backends/'],
  '@huggingface/hub': ['hub/', 'backends/hf-jobs.ts'],
  openai: ['teachers/'],
  undici: ['teachers/'],
  '@huggingface/inference': ['teachers/'],
  commander: ['cli.ts', 'verbs/'],
  pino: ['render/'],
};

/** `model` says what things are: it imports zod and nothing else from outside, and does no I/O. */
const PURE = { folder: 'model/', packages: ['zod'] };

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
const imports = files.flatMap((file) =>
  [
    ...readFileSync(`src/${file}`, 'utf8').matchAll(
      /^(?:import|export)( type)?\s(?:[\w*{}\s,$]*?\sfrom\s)?'([^']+)'|\bimport\(\s*'([^']+)'/gm,
    ),
  ].map((match) => ({
    file,
    target: match[2] ?? match[3] ?? '',
    isType: match[1] !== undefined,
  })),
);

/** What one file of src imports of another; what lies outside, package.json say, has no rank. */
const local = imports
  .filter(({ target }) => target.startsWith('.'))
  .map(({ file, target }) => ({ file, path: posix.join(posix.dirname(file), target) }))
  .filter(({ path }) => !path.startsWith('..'));

const folderOf = (path: string) => path.split('/')[0] ?? path;

test('every folder of src has a rank', () => {
  assert.deepEqual(
    [...new Set(files.map(folderOf))].filter((name) => RANKS[name] === undefined),
    [],
  );
});

test('a file imports from its own folder and from lower ranks only', () => {
  const offenders = local.filter(({ file, path }) => {
    const [from, to] = [folderOf(file), folderOf(path)];
    return from !== to && (RANKS[to] ?? 99) >= (RANKS[from] ?? -1);
  });
  assert.deepEqual(offenders, []);
});

test('a sub-folder imports from sub-folders before it only', () => {
  const folders = new Set(
    files.flatMap((file) =>
      file
        .split('/')
        .slice(0, -1)
        .map((_, at, names) => names.slice(0, at + 1).join('/')),
    ),
  );
  const subfoldersOf = (folder: string) =>
    [...folders].filter((other) => posix.dirname(other) === folder).map((other) => posix.basename(other));
  for (const folder of folders) {
    const found = subfoldersOf(folder);
    if (found.length > 1) assert.deepEqual(found.toSorted(), SUBFOLDERS[folder]?.toSorted(), folder);
  }
  const offenders = local.filter(({ file, path }) =>
    Object.entries(SUBFOLDERS).some(([folder, order]) => {
      const [from, to] = [file, path].map((each) => order.findIndex((name) => each.startsWith(`${folder}/${name}/`))) as [
        number,
        number,
      ];
      return from >= 0 && to > from;
    }),
  );
  assert.deepEqual(offenders, []);
});

test('no file imports itself by way of others, for types neither', () => {
  const targets = Map.groupBy(local, ({ file }) => file);
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  function visit(file: string, way: readonly string[]): void {
    if (state.get(file) === 'open') cycles.push([...way.slice(way.indexOf(file)), file].join(' -> '));
    if (state.has(file)) return;
    state.set(file, 'open');
    for (const { path } of targets.get(file) ?? []) visit(path, [...way, file]);
    state.set(file, 'done');
  }
  for (const file of files) visit(file, []);
  assert.deepEqual(cycles, []);
});

test('ARCHITECTURE tells these ranks', () => {
  const told = [...readFileSync('.github/ARCHITECTURE.md', 'utf8').matchAll(/^\| (\d+) \| (.*) \|$/gm)].flatMap(
    ([, rank, text = '']) =>
      [...text.matchAll(/`([^`]+)`/g)].flatMap(([, name = '']) => (name in RANKS ? [[name, Number(rank)]] : [])),
  );
  assert.deepEqual(Object.fromEntries(told), RANKS);
});

test('a package with a home is imported there only, but for its types', () => {
  const offenders = imports.filter(({ file, target, isType }) => {
    if (isType) return false;
    const home = Object.keys(HOMES).find((name) => target === name || target.startsWith(`${name}/`));
    return home !== undefined && !HOMES[home]?.some((prefix) => file.startsWith(prefix));
  });
  assert.deepEqual(offenders, []);
});

test('the nouns import zod only, and nothing that reads or writes', () => {
  const offenders = imports.filter(
    ({ file, target }) => file.startsWith(PURE.folder) && !target.startsWith('.') && !PURE.packages.includes(target),
  );
  assert.deepEqual(offenders, []);
});

test('relative imports name their file with its extension', () => {
  assert.deepEqual(
    imports.filter(({ target }) => target.startsWith('.') && !/\.(ts|json)$/.test(target)),
    [],
  );
});
