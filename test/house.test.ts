import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { STAGES } from '../src/stages/registry.ts';

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly lines: number;
}

const source = ['src', 'scripts', 'test']
  .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`))
  .filter((path) => /\.(ts|mjs|py|sh)$/.test(path) && !path.includes('__pycache__'))
  .map((path): SourceFile => {
    const text = readFileSync(path, 'utf8');
    return { path, text, lines: text.trimEnd().split('\n').length };
  });
const inSrc = source.filter(({ path }) => path.startsWith('src/'));

/** `path:line` of every match, comments and strings included. */
function matches(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : [])),
  );
}

test('no file is longer than 300 lines', () => {
  const tooLong = source.filter(({ path, lines }) => lines > 300 && !path.startsWith('test/fixtures/'));
  assert.deepEqual(
    tooLong.map(({ path, lines }) => `${path}: ${lines}`),
    [],
  );
});

test('a file is named for what it holds', () => {
  const names = /(^|\/)(index|utils?|helpers?|common|misc|shared)(\.[a-z]+$|\/)/;
  assert.deepEqual(
    source.map(({ path }) => path).filter((path) => names.test(path)),
    [],
  );
});

test('base has at most ten files', () => {
  assert.ok(inSrc.filter(({ path }) => path.startsWith('src/base/')).length <= 10);
});

test('a command is under 60 lines', () => {
  const commands = inSrc.filter(({ path }) => path.startsWith('src/commands/') && path !== 'src/commands/context.ts');
  assert.deepEqual(
    commands.filter(({ lines }) => lines >= 60).map(({ path, lines }) => `${path}: ${lines}`),
    [],
  );
});

test('the environment is read at the composition root only', () => {
  const below = inSrc.filter(({ path }) => path !== 'src/cli.ts' && path !== 'src/commands/context.ts');
  assert.deepEqual(matches(below, /process\.env/), []);
});

test('only cli.ts and render print; a command hands its data to stdout; only cli.ts ends the process', () => {
  const below = inSrc.filter(({ path }) => path !== 'src/cli.ts' && !path.startsWith('src/render/'));
  assert.deepEqual(matches(below, /\bconsole\./), []);
  assert.deepEqual(
    matches(
      below.filter(({ path }) => !path.startsWith('src/commands/')),
      /process\.(stdout|stderr)/,
    ),
    [],
  );
  assert.deepEqual(
    matches(
      inSrc.filter(({ path }) => path !== 'src/cli.ts'),
      /process\.(exit\(|exitCode)/,
    ),
    [],
  );
});

test('nothing is left to do in a comment', () => {
  assert.deepEqual(
    matches(
      source.filter(({ path }) => path !== 'test/house.test.ts'),
      /\b(TODO|FIXME|XXX|HACK)\b/,
    ),
    [],
  );
});

test('there is no class hierarchy but that of errors', () => {
  assert.deepEqual(matches(inSrc, /class \w+ extends (?!\w*Error\b)/), []);
});

test("a type's name is used once in src", () => {
  const declared = inSrc.flatMap(({ path, text }) =>
    [...text.matchAll(/^(?:export )?(?:declare )?(?:abstract )?(?:interface|type|class) (\w+)/gm)].map(([, name = '']) => ({
      name,
      path,
    })),
  );
  const twice = [...Map.groupBy(declared, ({ name }) => name).values()].filter((places) => places.length > 1);
  assert.deepEqual(twice, []);
});

test('the name of a test is a sentence that begins with no code', () => {
  assert.deepEqual(
    matches(
      source.filter(({ path }) => path.startsWith('test/')),
      /\b(?:test|it|describe)\(['"`][A-Z]\d+\b/,
    ),
    [],
  );
});

test('zod is imported whole, which leaves its languages out of the bundle', () => {
  assert.deepEqual(
    matches(inSrc, /import \{[^}]*\} from 'zod'/).filter((line) => line !== ''),
    [],
  );
});

test('the top level holds what the design names', () => {
  const allowed = [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'configs',
    'findings',
    'package-lock.json',
    'package.json',
    'scripts',
    'src',
    'test',
    'tsconfig.json',
  ];
  const made = ['node_modules', 'dist', 'shared'];
  const found = readdirSync('.').filter((name) => !name.startsWith('.') && !made.includes(name));
  assert.deepEqual(
    found.filter((name) => !allowed.includes(name)),
    [],
  );
  assert.ok(existsSync('scripts/zephyr'));
});

test('no stage is named outside of src/stages: what is to be known of one is in its module', () => {
  const outside = inSrc.filter(({ path }) => !path.startsWith('src/stages/'));
  const names = STAGES.map(({ name }) => name);
  // `exam`, `setup` and `eval` are words of their own as well: of these what stands as a name counts
  const asWord = names.filter((name) => !['exam', 'setup', 'eval'].includes(name)).join('|');
  const named = new RegExp(`\\b(${asWord})\\b|(['"\`./])(${names.join('|')})\\2|\\b(${names.join('|')})/[a-z]`);
  // what a report shows of feedback it reads in the tables that the stage publishes
  const tables = /^import .* from '\.\.\/stages\/aif\/(tables|pairs\/[\w-]+)\.ts';$/;
  const found = outside.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const isRead = path === 'src/report/feedback-rows.ts' && tables.test(line);
      // the practice teacher's held-out questions are drawn by this key
      const isKey = path.startsWith('src/practice/') && line.includes("'exam");
      // a split that people give this name
      const isSplit = path.startsWith('src/datasets/') && line.includes("'eval'");
      return named.test(line) && !isRead && !isKey && !isSplit ? [`${path}:${index + 1}`] : [];
    }),
  );
  assert.deepEqual(found, []);
});
