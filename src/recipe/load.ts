import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, parse, resolve } from 'node:path';
import type * as z from 'zod';
import { shellWord, ZephyrError } from '../errors.ts';
import { promptLines } from '../stages/aif/prompts/prompt-lines.ts';
import type { PromptSource, PromptsSpec } from '../stages/aif/prompts/spec.ts';
import { checkRecipe } from './check.ts';
import { type Mistake, mistakesIn } from './mistakes.ts';
import { applyOverrides, type Override, RECIPE_VARIABLES, readOverrides } from './overrides.ts';
import { fullRecipe, type Recipe, recipeSpec } from './recipe.ts';
import { checkTrl } from './trl-fields.ts';
import { type Path, readYaml, type YamlFile } from './yaml-file.ts';

/** Bytes of a text file that is read into the recipe: all of it ends up in the manifest of what is made from it. */
const MOST_BYTES = 1 << 20;

/**
 * A recipe from its file, with every default filled in. Layers, later ones win: defaults, the file, `ZEPHYR_NAMESPACE`,
 * `ZEPHYR_SEED` and `ZEPHYR_SET` of `env`, then `set` (`a.b=1`). With `root` (the folder that holds configs/) a bare name
 * is a recipe of zephyr's own. Throws one `ZephyrError` (usage) that lists every mistake as `file:line:column: message`.
 */
export async function loadRecipe(
  fileOrName: string,
  options: { readonly set: readonly string[]; readonly env: Readonly<Record<string, string>>; readonly root?: string },
): Promise<Recipe> {
  const yaml = await readYaml(recipeFile(fileOrName, options.root), 'recipe');
  if (String((yaml.data as { format?: unknown }).format).startsWith('zephyr-plan/'))
    throw new ZephyrError(`Cannot read recipe "${fileOrName}": it is a saved plan`, {
      hint: `zephyr run ${shellWord(fileOrName)}`,
    });
  const overrides = readOverrides(options.set, options.env);
  const data = applyOverrides(yaml.data, overrides, recipeSpec);
  const recipe = parsed(recipeSpec, data, yaml, overrides);
  const filled = await withLines(recipe, yaml, overrides);
  refuse([...checkRecipe(filled), ...(await checkTrl(filled))], yaml, overrides);
  return filled;
}

/** The recipe of a run, with `set` on top of it. `name` is what messages call it; throws as `loadRecipe` does. */
export async function changeRecipe(recipe: unknown, name: string, set: readonly string[]): Promise<Recipe> {
  const yaml: YamlFile = { file: name, data: recipe, offset: () => 0, place: () => name };
  const overrides = readOverrides(set, {});
  const changed = parsed(fullRecipe, applyOverrides(recipe, overrides, fullRecipe), yaml, overrides);
  refuse([...checkRecipe(changed), ...(await checkTrl(changed))], yaml, overrides);
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

function recipeFile(fileOrName: string, root: string | undefined): string {
  if (root === undefined || fileOrName === '' || /[/.]/.test(fileOrName) || existsSync(fileOrName)) return fileOrName;
  return join(root, 'configs', `${fileOrName}.yaml`);
}

/** The data as the schema has it, or every mistake at its place. */
export function parsed<Schema extends z.ZodType>(
  schema: Schema,
  data: unknown,
  yaml: YamlFile,
  overrides: readonly Override[],
): z.infer<Schema> {
  const result = schema.safeParse(data);
  if (!result.success) refuse(mistakesIn(schema, data), yaml, overrides);
  return result.data as z.infer<Schema>;
}

function refuse(mistakes: readonly Mistake[], yaml: YamlFile, overrides: readonly Override[]): void {
  if (mistakes.length === 0) return;
  const found = mistakes.map(({ path, part, message }) => {
    const override = overrides.findLast(
      (candidate) => startsWith(path, candidate.path) || (part === 'key' && startsWith(candidate.path, path)),
    );
    const offset = override === undefined ? yaml.offset(path, part) : Number.POSITIVE_INFINITY;
    return { offset, line: `${override?.origin ?? yaml.place(offset)}: ${message}` };
  });
  found.sort((a, b) => (a.offset === b.offset ? 0 : a.offset - b.offset));
  throw new ZephyrError(found.map(({ line }) => line).join('\n'));
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((name, index) => String(path[index]) === String(name));
}

/** `dsft.data.world.topicsFile` and `aif.prompts.sources.N.file` read into the recipe, one line an item: from here on it needs no file. */
async function withLines(recipe: Recipe, yaml: YamlFile, overrides: readonly Override[]): Promise<Recipe> {
  let { dsft, aif } = recipe;
  if (dsft.data.source === 'teacher' && dsft.data.world?.topicsFile !== undefined) {
    const { topicsFile, ...world } = dsft.data.world;
    const lines = await readLines(topicsFile, ['dsft', 'data', 'world', 'topicsFile'], yaml, overrides);
    dsft = { ...dsft, data: { ...dsft.data, world: { ...world, topics: [...world.topics, ...lines] } } };
  }
  if (aif.source === 'teachers' || aif.source === 'delta')
    aif = { ...aif, prompts: await withPrompts(aif.prompts, yaml, overrides) };
  return { ...recipe, dsft, aif };
}

async function withPrompts(prompts: PromptsSpec, yaml: YamlFile, overrides: readonly Override[]): Promise<PromptsSpec> {
  const sources: PromptSource[] = [];
  for (const [index, { file, ...source }] of prompts.sources.entries()) {
    if (file === undefined) {
      sources.push(source);
      continue;
    }
    const path = ['aif', 'prompts', 'sources', index, 'file'];
    if (!/\.(txt|jsonl)$/.test(file))
      refuseAt(
        path,
        `expected a .txt file with one prompt a line or a .jsonl file with a text "prompt", got "${file}"`,
        yaml,
        overrides,
      );
    const { list, malformed } = promptLines(file, await readText(file, path, yaml, overrides));
    const named = malformed.slice(0, 20).join(', ');
    if (malformed.length > 0 && !prompts.skipInvalid)
      refuseAt(
        path,
        `expected JSON objects with a text "prompt", got others in ${malformed.length} lines: ${named}`,
        yaml,
        overrides,
      );
    if (list.length === 0) refuseAt(path, `expected one prompt a line, "${file}" has none`, yaml, overrides);
    sources.push({ ...source, name: source.name ?? parse(file).name, list: [...source.list, ...list] });
  }
  return { ...prompts, sources };
}

async function readLines(file: string, path: Path, yaml: YamlFile, overrides: readonly Override[]): Promise<string[]> {
  const lines = (await readText(file, path, yaml, overrides)).split('\n').map((line) => line.trim());
  const texts = lines.filter((line) => line !== '');
  if (texts.length === 0) refuseAt(path, `expected one text a line, "${file}" has none`, yaml, overrides);
  return texts;
}

/** A text file beside the recipe. */
async function readText(file: string, path: Path, yaml: YamlFile, overrides: readonly Override[]): Promise<string> {
  const absolute = resolve(dirname(yaml.file), file);
  const found = await stat(absolute).catch(() => undefined);
  if (found?.isFile() !== true) refuseAt(path, `expected a text file, there is none at "${absolute}"`, yaml, overrides);
  if ((found?.size ?? 0) > MOST_BYTES)
    refuseAt(
      path,
      `expected at most ${MOST_BYTES} bytes, got ${found?.size}; bring larger sets in with zephyr hub import FOLDER --as hf://datasets/ORG/NAME and name them as ref`,
      yaml,
      overrides,
    );
  return await readFile(absolute, 'utf8');
}

function refuseAt(path: Path, message: string, yaml: YamlFile, overrides: readonly Override[]): void {
  refuse([{ path, part: 'value', message: `${path.join('.')}: ${message}` }], yaml, overrides);
}
