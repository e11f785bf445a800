// Bundles src/cli.ts into dist/: one entry that imports next to nothing, and a chunk for each verb.
// `node scripts/build.mjs [--out FOLDER]`
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { commonChunk } from './common-chunk.mjs';
import { bundleStamp, root } from './stamp.mjs';

const { values } = parseArgs({ options: { out: { type: 'string', default: join(root, 'dist') } } });
const out = resolve(values.out);
const stamp = bundleStamp();
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Dependencies that the bundle contains: every start reads them, and reading them from node_modules takes a fifth longer. */
const BUILT_IN = ['commander', 'zod'];

/** esbuild's stand-in for require() in bundled CommonJS looks for a `require` in its own file. */
const REQUIRE = 'const require=process.getBuiltinModule("module").createRequire(import.meta.url);';

/**
 * A static `import` of a part of Node reads all that it exports, and with it streams, WebCrypto and more. Each importer gets a module of
 * its own instead, of whose exports esbuild keeps those that it names. Of child processes commander wants to hear for subcommands
 * that are programs of their own; zephyr has none.
 */
const leanNode = {
  name: 'lean-node',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?[a-z_0-9/]+$/ }, ({ path, importer, kind }) =>
      isBuiltin(path) && kind === 'import-statement' ? { path: `${path} for ${importer}`, namespace: 'node' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'node' }, ({ path }) => {
      const [name, importer] = path.split(' for ');
      if (name === 'node:child_process' && importer.includes('/commander/')) return { contents: 'export default {}' };
      const members = Object.keys(process.getBuiltinModule(name)).filter((member) => /^[A-Za-z]\w*$/.test(member));
      const exported = members.map((member) => `export const ${member} = /* @__PURE__ */ (() => part.${member})();`);
      return { contents: `const part = process.getBuiltinModule('${name}');\nexport default part;\n${exported.join('\n')}` };
    });
  },
};

const options = {
  absWorkingDir: root,
  entryPoints: { cli: 'src/cli.ts' },
  outdir: out,
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  external: Object.keys(dependencies).filter((name) => !BUILT_IN.includes(name)),
  // yaml offers CommonJS to Node, which esbuild can neither shake nor join
  alias: { yaml: join(root, 'node_modules/yaml/browser/dist/index.js') },
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  // esbuild keeps the names, so that a user can read the stack of a bug
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  metafile: true,
  write: false,
  logLevel: 'warning',
};

// esbuild has printed its own error
const bundle = (plugins) => build({ ...options, plugins }).catch(() => process.exit(1));
const { metafile } = await bundle([leanNode]);
const result = await bundle([leanNode, commonChunk(metafile.outputs)]);

// what a report's page runs in a browser, its plot library included
const page = await build({
  absWorkingDir: root,
  entryPoints: { 'report-page': 'src/report/model-report/browser/page.mjs' },
  outdir: out,
  bundle: true,
  format: 'iife',
  platform: 'browser',
  target: 'es2022',
  minify: true,
  charset: 'ascii',
  legalComments: 'inline',
  write: false,
  logLevel: 'warning',
}).catch(() => process.exit(1));

// The entry goes last and a file appears whole, so that a CLI started meanwhile finds the old bundle or the new one.
const entry = join(out, 'cli.js');
const files = [...page.outputFiles, ...result.outputFiles].sort((a, b) => Number(a.path === entry) - Number(b.path === entry));
for (const file of files) {
  const needsRequire = file.text.includes('Dynamic require of');
  replace(file.path, needsRequire ? REQUIRE + file.text : file.text);
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
