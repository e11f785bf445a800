import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { relative } from 'node:path';
import { root } from './stamp.mjs';

/** Bytes of a chunk that is rather read for nothing than looked up on its own. */
const SMALL = 4096;

/**
 * esbuild makes a chunk for each set of verbs that share a module: three dozen for `plan`, most of them one small module, and Node
 * spends half a millisecond on each. With this plugin whoever needs zod imports all small modules that are shared and need no other
 * package: these become one chunk. `outputs` are those of the metafile of a bundle without it.
 */
export function commonChunk(outputs) {
  const chunks = Object.entries(outputs).map(([path, { entryPoint, bytes, inputs }]) => {
    const closure = closureOf(outputs, path);
    const packages = new Set([...closure].flatMap((each) => packagesIn(outputs[each])));
    const modules = Object.keys(inputs).filter((input) => /^src\/.*\.ts$/.test(input));
    return { path, closure, entryPoint, bytes, modules, packages };
  });
  const common = chunks.filter(
    ({ entryPoint, bytes, modules, packages }) =>
      entryPoint === undefined && modules.length > 0 && bytes < SMALL && [...packages].every((name) => name === 'zod'),
  );
  const users = new Set(
    chunks
      .filter(({ packages, closure }) => packages.has('zod') && common.some(({ path }) => closure.has(path)))
      .map(({ entryPoint }) => entryPoint),
  );
  const imports = common.flatMap(({ modules }) => modules.map((module) => `import './${module}';`)).join('');
  return {
    name: 'common-chunk',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^common-chunk$/ }, ({ path }) => ({ path, namespace: path }));
      onLoad({ filter: /./, namespace: 'common-chunk' }, () => ({ contents: imports, resolveDir: root }));
      onLoad({ filter: /\.ts$/ }, ({ path }) =>
        users.has(relative(root, path))
          ? { contents: `${readFileSync(path, 'utf8')}\nimport 'common-chunk';`, loader: 'ts' }
          : undefined,
      );
    },
  };
}

/** The chunk and all that it imports statically. */
function closureOf(outputs, start) {
  const seen = new Set([start]);
  for (const path of seen)
    for (const { kind, external, path: next } of outputs[path].imports)
      if (kind === 'import-statement' && external !== true) seen.add(next);
  return seen;
}

/** Packages in a chunk, and those that it imports from node_modules. */
function packagesIn({ inputs, imports }) {
  const own = Object.keys(inputs).flatMap((input) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? []);
  const outside = imports.filter(({ kind, external }) => kind === 'import-statement' && external === true);
  return [...own, ...outside.map(({ path }) => path).filter((path) => !isBuiltin(path))];
}
