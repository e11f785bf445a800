import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  outputs = JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8')).outputs;
});
after(() => rmSync(folder, { recursive: true }));

/** Packages in the files that are read when an entry point is imported: its own and what it imports statically. */
function packagesOf(entryPoint: string): string[] {
  const start = Object.entries(outputs).find(([, output]) => output.entryPoint === entryPoint)?.[0];
  assert.ok(start !== undefined, `no chunk begins at ${entryPoint}`);
  const seen = new Set<string>([start]);
  for (const path of seen) {
    const statics = outputs[path]?.imports.filter(({ kind, external }) => kind === 'import-statement' && external !== true) ?? [];
    for (const found of statics) seen.add(found.path);
  }
  const inputs = [...seen].flatMap((path) => Object.keys(outputs[path]?.inputs ?? {}));
  const names = inputs.map((input) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

test('the entry reads commander and no other package, so that --help is quick', () => {
  assert.deepEqual(packagesOf('src/cli.ts'), ['commander']);
});

test('the chunks of plan hold no SDK and no process library', () => {
  const heavy = ['openai', '@huggingface/inference', 'execa'];
  assert.deepEqual(
    packagesOf('src/commands/plan.ts').filter((name) => heavy.includes(name)),
    [],
  );
});

test('the bundle stands alone: outside of it there is Node only', () => {
  const outside = Object.values(outputs).flatMap(({ imports }) =>
    imports.filter(({ external }) => external === true).map(({ path }) => path),
  );
  assert.deepEqual(
    [...new Set(outside)].filter((path) => !path.startsWith('node:') && !isBuiltin(path)),
    [],
  );
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

function isBuiltin(name: string): boolean {
  return process.getBuiltinModule(name) !== undefined;
}
