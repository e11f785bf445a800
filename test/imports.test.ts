import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { test } from 'node:test';

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
    ['plan'],
    ['engine', 'report'],
    ['commands'],
    ['cli.ts'],
  ].flatMap((names, rank) => names.map((name) => [name, rank])),
);

/** Third-party packages that have a home: a file's path must begin with one of these. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  execa: ['backends/'],
  '@huggingface/hub': ['hub/', 'backends/hf-jobs.ts'],
  openai: ['teachers/'],
  undici: ['teachers/'],
  '@huggingface/inference': ['teachers/'],
  commander: ['cli.ts'],
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

const folderOf = (path: string) => path.split('/')[0] ?? path;

test('every folder of src has a rank', () => {
  assert.deepEqual(
    [...new Set(files.map(folderOf))].filter((name) => RANKS[name] === undefined),
    [],
  );
});

test('a file imports from its own folder and from lower ranks only', () => {
  const offenders = imports
    .filter(({ target }) => target.startsWith('.'))
    .map(({ file, target }) => ({ file, path: posix.join(posix.dirname(file), target) }))
    // what lies outside src, package.json say, has no rank
    .filter(({ path }) => !path.startsWith('..'))
    .filter(({ file, path }) => {
      const [from, to] = [folderOf(file), folderOf(path)];
      return from !== to && (RANKS[to] ?? 99) >= (RANKS[from] ?? -1);
    });
  assert.deepEqual(offenders, []);
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
