import { lstat, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { diskFault, EXIT, isDiskFull, ZephyrError } from '../errors.ts';
import { shippedRecipes } from '../recipe/load.ts';
import { didYouMean } from '../stages/nearest.ts';
import { packageRoot } from './context.ts';

/** What the first line of a recipe names, for editors; it lies beside the recipe. */
const SCHEMA = 'schema/recipe.json';

/** `zephyr init [RECIPE]`: a recipe of zephyr's own with all its comments, and its schema, in this folder; nothing is overwritten. */
export async function init([named = 'zephyr-7b']: string[]): Promise<number> {
  // a user may name the file that init writes
  const name = named.replace(/\.ya?ml$/, '');
  const shipped = join(packageRoot(), 'configs');
  const names = shippedRecipes(packageRoot());
  if (!names.includes(name))
    throw new ZephyrError(`Cannot begin with recipe "${name}": expected ${names.join(', ')}${didYouMean(name, names)}`);
  const file = `${name}.yaml`;
  const recipe = await readFile(join(shipped, file), 'utf8');
  const schema = await readFile(join(shipped, SCHEMA), 'utf8');
  const there = await readFile(SCHEMA, 'utf8').catch(() => undefined);
  if (there !== undefined && there !== schema) throw isThere(SCHEMA);
  if (await lstat(file).catch(() => undefined)) throw isThere(file);
  // writes the recipe last, so that a refusal before it leaves no file that the next try would be refused for
  if (there === undefined) await create(SCHEMA, schema);
  // the comments of the shipped recipe name it by its place in a checkout
  await create(file, recipe.replaceAll(`configs/${file}`, file));
  process.stdout.write(`${file}\n`);
  process.stderr.write(`try it at toy size, without a key or a cost: zephyr rehearse ${file}\n`);
  return EXIT.done;
}

async function create(file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { flag: 'wx' });
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && syscall === 'open') throw isThere(file);
    // a full disk leaves the beginning of the file
    if (isDiskFull(error)) await rm(file, { force: true });
    throw diskFault(error, `write "${file}"`) ?? error;
  }
}

const isThere = (file: string): ZephyrError =>
  new ZephyrError(`Cannot write "${file}": it is there already`, { hint: 'go to an empty folder, or take it out of the way' });
