import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { relative } from 'node:path';
import { root } from './stamp.mjs';

/** Bytes of a chunk that is rather read for nothing than looked up on its own. */
const SMALL = 4096;

/** The entry points that `plan` reads each time. */
const PLAN = /^src\/(commands\/plan|hub\/local-hub|stages\/[\w-]+\/body)\.ts$/;

/**
 * esbuild makes a chunk for each set of entry points that share a module: three dozen for `plan`, most of them one small module, and
 * Node spends half a millisecond on each. With this plugin the readers of a group of shared modules import the whole group, which
 * makes it one chunk. The groups are what `plan` reads with no package but zod, what it reads with yaml, and the small modules that
 * it does not read. `outputs` are those of the metafile of a bundle without the plugin.
 */
export function commonChunk(outputs) {
  const chunks = chunksOf(outputs);
  const planned = new Set(chunks.filter(({ entryPoint }) => PLAN.test(entryPoint)).flatMap(({ closure }) => [...closure]));
  const groups = [
    groupOf(chunks, 'zod', ({ path, packages }) => planned.has(path) && isWithin(packages, ['zod'])),
    groupOf(
      chunks,
      'yaml',
      ({ path, packages }) => planned.has(path) && packages.has('yaml') && isWithin(packages, ['zod', 'yaml']),
    ),
    groupOf(chunks, 'zod', ({ path, packages, bytes }) => !planned.has(path) && isWithin(packages, ['zod']) && bytes < SMALL),
  ];
  return {
    name: 'common-chunk',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^common-chunk\/\d$/ }, ({ path }) => ({ path, namespace: 'common-chunk' }));
      onLoad({ filter: /./, namespace: 'common-chunk' }, ({ path }) => ({
        contents: groups[Number(path.slice(-1))].modules.map((module) => `import './${module}';`).join(''),
        resolveDir: root,
      }));
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const imports = groups.flatMap(({ readers }, at) =>
          readers.has(relative(root, path)) ? `import 'common-chunk/${at}';` : [],
        );
        return imports.length === 0 ? undefined : { contents: [readFileSync(path, 'utf8'), ...imports].join('\n'), loader: 'ts' };
      });
    },
  };
}

/**
 * The modules of the shared chunks that belong to the group, and the entry points that need one of them. An entry point reads the
 * group only if it needs the package, or if all that load it do: to anything else the group would bring the package along.
 */
function groupOf(chunks, name, belongs) {
  const members = chunks.filter((chunk) => chunk.entryPoint === undefined && chunk.modules.length > 0 && belongs(chunk));
  const has = ({ packages }) => packages.has(name);
  const follows = ({ path }) => {
    const loaders = chunks.filter(({ loads }) => loads.has(path));
    return loaders.length > 0 && loaders.every(has);
  };
  const readers = chunks.filter((chunk) => (has(chunk) || follows(chunk)) && members.some(({ path }) => chunk.closure.has(path)));
  return {
    modules: members.flatMap(({ modules }) => modules),
    readers: new Set(readers.map(({ entryPoint }) => entryPoint)),
  };
}

function chunksOf(outputs) {
  return Object.entries(outputs).map(([path, { entryPoint, bytes, inputs, imports }]) => {
    const closure = closureOf(outputs, path);
    const packages = new Set([...closure].flatMap((each) => packagesIn(outputs[each])));
    const modules = Object.keys(inputs).filter((input) => /^src\/.*\.ts$/.test(input));
    const loads = new Set(imports.filter(({ kind }) => kind === 'dynamic-import').map((each) => each.path));
    return { path, closure, entryPoint, bytes, modules, packages, loads };
  });
}

const isWithin = (packages, names) => [...packages].every((name) => names.includes(name));

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
