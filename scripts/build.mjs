// Bundles src/cli.ts into dist/: one entry that imports next to nothing, and a chunk for each verb.
// `node scripts/build.mjs [--out FOLDER]`
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { commonChunk } from './common-chunk.mjs';
import { bundleStamp, root } from './stamp.mjs';

const { values } = parseArgs({ options: { out: { type: 'string', default: join(root, 'dist') } } });
const out = resolve(values.out);
const stamp = bundleStamp();

/** esbuild's stand-in for require() in bundled CommonJS looks for a `require` in its own file. */
const REQUIRE = 'const require=process.getBuiltinModule("module").createRequire(import.meta.url);';

/**
 * To import `process` or `child_process` is to load what hangs on them, streams and sockets, which `--help` needs nothing of.
 * The first is a global anyway; commander wants the second for subcommands that are programs of their own, and has none here.
 */
const lean = {
  name: 'lean',
  setup({ onResolve, onLoad }) {
    const lean = (path) => ({ path, namespace: 'lean' });
    onResolve({ filter: /^(node:)?process$/ }, () => lean('process'));
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.includes('/commander/') ? lean('child_process') : undefined,
    );
    onLoad({ filter: /./, namespace: 'lean' }, ({ path }) => ({
      contents: path === 'process' ? 'module.exports = globalThis.process' : 'module.exports = {}',
    }));
  },
};

/** An `import` of a part of Node reads each of its exports, and so loads streams, WebCrypto and more; this reads what is named. */
function withLeanBuiltins(text) {
  const found = [];
  const statement = /(?<=^|[;}])import(?: ([\w$]+) |\{([^}]*)\})from"((?:node:)?[\w/]+)";/gm;
  const rest = text.replace(statement, (_, all, names, module) => {
    found.push(`const ${all ?? `{${names.replaceAll(' as ', ':')}}`}=process.getBuiltinModule("${module}");`);
    return '';
  });
  return found.join('') + rest;
}

const options = {
  absWorkingDir: root,
  entryPoints: { cli: 'src/cli.ts' },
  outdir: out,
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  // for Node it has CommonJS, which is neither shaken nor joined
  alias: { yaml: join(root, 'node_modules/yaml/browser/dist/index.js') },
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  // names stay, so that the stack of a bug can be read
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  metafile: true,
  write: false,
  logLevel: 'warning',
};

// esbuild says itself why it cannot
const bundle = (plugins) => build({ ...options, plugins }).catch(() => process.exit(1));
const { metafile } = await bundle([lean]);
const result = await bundle([lean, commonChunk(metafile.outputs)]);

// The entry goes last and a file appears whole, so that a CLI started meanwhile finds the old bundle or the new one.
const entry = join(out, 'cli.js');
const files = result.outputFiles.sort((a, b) => Number(a.path === entry) - Number(b.path === entry));
for (const file of files) {
  const needsRequire = file.text.includes('Dynamic require of');
  const text = withLeanBuiltins(file.text);
  replace(file.path, needsRequire ? REQUIRE + text : text);
}
replace(join(out, 'meta.json'), JSON.stringify(result.metafile));
replace(join(out, 'stamp'), stamp);
removeStale(new Set(files.map((file) => file.path)));

const bytes = files.reduce((sum, file) => sum + file.contents.length, 0);
console.log(`${relative(root, entry)}: ${files.length} files, ${Math.round(bytes / 1024)} KiB`);

function replace(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}

/** Chunks of earlier bundles; one younger than an hour may still be wanted by a CLI that runs. */
function removeStale(current) {
  const folder = join(out, 'chunks');
  const names = readdirSync(out).includes('chunks') ? readdirSync(folder) : [];
  for (const path of names.map((name) => join(folder, name))) {
    if (!current.has(path) && Date.now() - statSync(path).mtimeMs > 3_600_000) rmSync(path);
  }
}
