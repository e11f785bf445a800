import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

/** What esbuild says of an output file; github.com/evanw/esbuild, metafile. */
interface Output {
  readonly entryPoint?: string;
  readonly imports: readonly { readonly path: string; readonly kind: string; readonly external?: boolean }[];
  readonly inputs: Readonly<Record<string, unknown>>;
}

const folder = mkdtempSync(join(tmpdir(), 'zephyr-bundle-'));
let outputs: Readonly<Record<string, Output>> = {};

before(() => {
  const built = spawnSync(process.execPath, ['scripts/build.mjs', '--out', folder], { encoding: 'utf8' });
  assert.equal(built.status, 0, built.stderr);
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  outputs = JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8')).outputs;
});
after(() => rmSync(folder, { recursive: true }));

/** The files that are read when these entry points are imported: their own and what they import statically. */
function filesOf(...entryPoints: readonly string[]): string[] {
  const seen = new Set<string>();
  for (const entryPoint of entryPoints) {
    const start = Object.entries(outputs).find(([, output]) => output.entryPoint === entryPoint)?.[0];
    assert.ok(start !== undefined, `no chunk begins at ${entryPoint}`);
    seen.add(start);
  }
  for (const path of seen) {
    const statics = outputs[path]?.imports.filter(({ kind, external }) => kind === 'import-statement' && external !== true) ?? [];
    for (const found of statics) seen.add(found.path);
  }
  return [...seen];
}

/** The modules in these files. */
function modulesOf(...entryPoints: readonly string[]): string[] {
  return filesOf(...entryPoints).flatMap((path) => Object.keys(outputs[path]?.inputs ?? {}));
}

/** What `zephyr plan` imports on the embedded Hub. */
const PLAN = [
  'src/cli.ts',
  'src/commands/parse-once.ts',
  'src/commands/plan.ts',
  ...globSync('src/stages/*/body.ts'),
  'src/hub/local-hub.ts',
];

function packagesOf(entryPoint: string): string[] {
  const names = modulesOf(entryPoint).map((input) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

test('the entry reads commander and no other package, so that --help is quick', () => {
  assert.deepEqual(packagesOf('src/cli.ts'), ['commander']);
});

test('plan reads the packages for recipes and no other', () => {
  assert.deepEqual(packagesOf('src/commands/plan.ts'), ['yaml', 'zod']);
});

test('yaml is bundled from its ES modules, of which only what is used comes along', () => {
  const found = modulesOf('src/commands/plan.ts').filter((module) => module.includes('node_modules/yaml/'));
  assert.deepEqual(
    found.filter((module) => !module.includes('/yaml/browser/')),
    [],
  );
});

test('modules that verbs share are few chunks: plan reads 17 files in all, status at most 10', () => {
  const read = filesOf(...PLAN);
  assert.ok(read.length <= 17, read.join(' '));
  const status = filesOf('src/cli.ts', 'src/commands/status.ts', 'src/hub/local-hub.ts');
  assert.ok(status.length <= 10, status.join(' '));
});

test('plan reads nothing that only jobs, runs and transfers need', () => {
  const found = modulesOf(...PLAN).filter((module) =>
    /^src\/(engine\/(?!hardware)|runs|render\/(wording|plain)|model\/job\.|backends\/follow|datasets\/near)|\/p-queue\//.test(
      module,
    ),
  );
  assert.deepEqual(found, []);
});

test('no file imports itself by way of others: what it takes from them would not be there yet', () => {
  const done = new Set<string>();
  const cycles: string[] = [];
  function visit(path: string, way: readonly string[]): void {
    if (way.includes(path)) cycles.push([...way.slice(way.indexOf(path)), path].join(' -> '));
    if (way.includes(path) || done.has(path)) return;
    for (const { kind, external, path: next } of outputs[path]?.imports ?? [])
      if (kind === 'import-statement' && external !== true) visit(next, [...way, path]);
    done.add(path);
  }
  for (const path of Object.keys(outputs)) visit(path, []);
  assert.deepEqual(cycles, []);
});

test('zod is told to parse without compiling before there is any schema', () => {
  const own = modulesOf('src/commands/parse-once.ts').filter((module) => module.startsWith('src/'));
  assert.deepEqual(own, ['src/commands/parse-once.ts']);
});

test('an error is told without any package', () => {
  assert.deepEqual(packagesOf('src/commands/failure.ts'), []);
});

const outside = () => [
  ...new Set(
    Object.values(outputs).flatMap(({ imports }) =>
      imports.flatMap(({ external, kind, path }) => (external === true && kind !== 'require-call' ? [path] : [])),
    ),
  ),
];

test('no file of zephyr imports a part of Node, which would load all that this part exports', () => {
  const statements = Object.values(outputs).flatMap(({ imports }) => imports.filter(({ kind }) => kind === 'import-statement'));
  assert.deepEqual(
    statements.map(({ path }) => path).filter((path) => isBuiltin(path)),
    [],
  );
});

test('a dependency is imported from node_modules, but for the two that every start reads, and nothing else is', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const imported = outside().filter((path) => !isBuiltin(path));
  const builtIn = ['commander', 'zod'];
  assert.deepEqual([...imported, ...builtIn].sort(), Object.keys(dependencies).sort());
  const inBundle = Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs));
  for (const name of builtIn) assert.ok(inBundle.some((input) => input.includes(`node_modules/${name}/`)));
});

test('every chunk that is loaded when it is wanted can be loaded', () => {
  const chunks = Object.entries(outputs).filter(
    ([, { entryPoint }]) => entryPoint?.startsWith('src/') && entryPoint !== 'src/cli.ts',
  );
  const script = chunks.map(([path]) => `await import(${JSON.stringify(resolve(path))});`).join('\n');
  const loaded = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(loaded.status, 0, loaded.stderr);
});

test('every verb is a chunk of its own, read when it is called', () => {
  const verbs = [...readFileSync('src/cli.ts', 'utf8').matchAll(/import\('\.\/(commands\/[\w-]+\.ts)'\)/g)].map(
    (match) => `src/${match[1]}`,
  );
  const entries = Object.values(outputs).map(({ entryPoint }) => entryPoint);
  assert.ok(verbs.length > 0);
  assert.deepEqual(
    verbs.filter((verb) => !entries.includes(verb)),
    [],
  );
});

test('the bundled CLI starts and says its version', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  const started = spawnSync(process.execPath, [join(folder, 'cli.js'), '--version'], { encoding: 'utf8' });
  assert.equal(started.stdout.trim(), version, started.stderr);
  assert.ok(existsSync(join(folder, 'stamp')));
});
