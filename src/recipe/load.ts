import { existsSync, readdirSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type * as z from 'zod';
import { shellWord, ZephyrError } from '../errors.ts';
import type { Path } from '../stages/mistake.ts';
import type { Stage } from '../stages/module.ts';
import { didYouMean } from '../stages/nearest.ts';
import { checkRecipe } from './check.ts';
import { Complaints } from './complaints.ts';
import { mistakesIn } from './mistakes.ts';
import { applyOverrides, RECIPE_VARIABLES, readOverrides } from './overrides.ts';
import { fullRecipe, type Recipe, recipeSpec } from './recipe.ts';
import { checkTrl } from './trl-fields.ts';
import { readYaml } from './yaml-file.ts';

/** Bytes of a text file that is read into the recipe: all of it ends up in the manifest of what is made from it. */
const MOST_BYTES = 1 << 20;

export interface LoadOptions {
  readonly stages: readonly Stage[];
  readonly set: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The folder that holds configs/: with it a bare name is a recipe of zephyr's own. */
  readonly root?: string;
}

/**
 * A recipe from its file, with every default filled in. Layers, later ones win: defaults, the file, `ZEPHYR_NAMESPACE`,
 * `ZEPHYR_SEED` and `ZEPHYR_SET` of `env`, then `set` (`a.b=1`). Throws one `ZephyrError` (usage) that lists every mistake as
 * `file:line:column: message`.
 */
export async function loadRecipe(fileOrName: string, { stages, set, env, root }: LoadOptions): Promise<Recipe> {
  refuseMissing(fileOrName, root);
  const yaml = await readYaml(recipeFile(fileOrName, root), 'recipe');
  if (String((yaml.data as { format?: unknown }).format).startsWith('zephyr-plan/'))
    throw new ZephyrError(`Cannot read recipe "${fileOrName}": it is a saved plan`, {
      hint: `zephyr run ${shellWord(fileOrName)}`,
    });
  const overrides = readOverrides(set, env);
  const complaints = new Complaints(yaml, overrides);
  const schema = recipeSpec(stages);
  const recipe = await withTexts(parsed(schema, applyOverrides(yaml.data, overrides, schema), complaints), stages, complaints);
  complaints.refuse([...checkRecipe(recipe, stages), ...(await checkTrl(recipe, stages))]);
  return recipe;
}

/** The recipe of a run, with `set` on top of it. `name` is what messages call it; throws as `loadRecipe` does. */
export async function changeRecipe(
  recipe: unknown,
  name: string,
  { stages, set }: Pick<LoadOptions, 'stages' | 'set'>,
): Promise<Recipe> {
  const overrides = readOverrides(set, {});
  const complaints = new Complaints({ file: name, data: recipe, offset: () => 0, place: () => name }, overrides);
  const schema = fullRecipe(stages);
  const changed = parsed(schema, applyOverrides(recipe, overrides, schema), complaints);
  complaints.refuse([...checkRecipe(changed, stages), ...(await checkTrl(changed, stages))]);
  return changed;
}

/** What a recipe is loaded from, so that another process finds out whether it is still the same. */
export function recipeSource(
  fileOrName: string,
  { set, on }: { readonly set: readonly string[]; readonly on?: string | undefined },
  { env, root }: { readonly env: Readonly<Record<string, string>>; readonly root: string },
): { file: string; set: string[]; on?: string; env: Record<string, string> } {
  const own = Object.entries(env).filter(([name]) => RECIPE_VARIABLES.includes(name));
  const target = on === undefined ? {} : { on: /[/.]/.test(on) ? resolve(on) : on };
  return { file: resolve(recipeFile(fileOrName, root)), set: [...set], ...target, env: Object.fromEntries(own) };
}

/** Names of the recipes that zephyr brings. */
export function shippedRecipes(root: string): string[] {
  return readdirSync(join(root, 'configs'))
    .flatMap((file) => (file.endsWith('.yaml') ? [basename(file, '.yaml')] : []))
    .sort();
}

function refuseMissing(fileOrName: string, root: string | undefined): void {
  if (root === undefined || fileOrName === '' || existsSync(recipeFile(fileOrName, root))) return;
  const names = shippedRecipes(root);
  throw new ZephyrError(`Cannot read recipe "${fileOrName}": there is no such file${didYouMean(fileOrName, names)}`, {
    hint: `zephyr's own go by their names (${names.join(', ')}); zephyr init writes one into this folder`,
  });
}

function recipeFile(fileOrName: string, root: string | undefined): string {
  if (root === undefined || fileOrName === '' || /[/.]/.test(fileOrName) || existsSync(fileOrName)) return fileOrName;
  return join(root, 'configs', `${fileOrName}.yaml`);
}

/** The data as the schema has it, or every mistake at its place. */
export function parsed<Data>(schema: z.ZodType<Data>, data: unknown, complaints: Complaints): Data {
  const result = schema.safeParse(data);
  if (!result.success) complaints.refuse(mistakesIn(schema, data));
  return result.data as Data;
}

/** Reads the text files that the stages' sections name into the recipe. */
async function withTexts(recipe: Recipe, stages: readonly Stage[], complaints: Complaints): Promise<Recipe> {
  const read = {
    text: (file: string, path: Path) => readText(file, path, complaints),
    refuse: (path: Path, message: string) => complaints.refuseAt(path, message),
  };
  const sections: [string, unknown][] = [];
  for (const stage of stages)
    if (stage.texts !== undefined && recipe[stage.name] !== undefined)
      sections.push([stage.name, await stage.texts(recipe, read)]);
  return { ...recipe, ...Object.fromEntries(sections) };
}

/** A text file beside the recipe. */
async function readText(file: string, path: Path, complaints: Complaints): Promise<string> {
  const absolute = resolve(dirname(complaints.yaml.file), file);
  const found = await stat(absolute).catch(() => undefined);
  if (found?.isFile() !== true) complaints.refuseAt(path, `expected a text file, there is none at "${absolute}"`);
  if ((found?.size ?? 0) > MOST_BYTES)
    complaints.refuseAt(
      path,
      `expected at most ${MOST_BYTES} bytes, got ${found?.size}; bring larger sets in with zephyr hub import FOLDER --as hf://datasets/ORG/NAME and name them as ref`,
    );
  return await readFile(absolute, 'utf8');
}
