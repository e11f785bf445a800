import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { EXIT, ZephyrError } from '../errors.ts';
import { shippedRecipes } from '../recipe/load.ts';
import { didYouMean } from '../stages/nearest.ts';
import { packageRoot } from './context.ts';

/** What the first line of a recipe names, for editors; it lies beside the recipe. */
const SCHEMA = 'schema/recipe.json';

/** `zephyr init [RECIPE]`: a recipe of zephyr's own with all its comments, and its schema, in this folder; nothing is overwritten. */
export async function init([name = 'zephyr-7b']: string[]): Promise<number> {
  const shipped = join(packageRoot(), 'configs');
  const names = shippedRecipes(packageRoot());
  if (!names.includes(name))
    throw new ZephyrError(`Cannot begin with recipe "${name}": expected ${names.join(', ')}${didYouMean(name, names)}`);
  const file = `${name}.yaml`;
  const recipe = await readFile(join(shipped, file), 'utf8');
  const schema = await readFile(join(shipped, SCHEMA), 'utf8');
  const there = await readFile(SCHEMA, 'utf8').catch(() => undefined);
  if (there !== undefined && there !== schema) throw isThere(SCHEMA);
  // its comments name it by its place in a checkout
  await create(file, recipe.replaceAll(`configs/${file}`, file));
  if (there === undefined) await create(SCHEMA, schema);
  process.stdout.write(`${file}\n`);
  process.stderr.write(`try it at toy size, without a key or a cost: zephyr rehearse ${file}\n`);
  return EXIT.done;
}

async function create(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? isThere(file) : error;
  });
}

const isThere = (file: string): ZephyrError =>
  new ZephyrError(`Cannot write "${file}": it is there already`, { hint: 'go to an empty folder, or take it out of the way' });
