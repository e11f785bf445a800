import * as z from 'zod';
import { EXIT, ZephyrError } from '../errors.ts';
import { recipeSpec } from '../recipe/recipe.ts';
import { targetSpec } from '../recipe/target.ts';
import { loadStages, type Stage, type StageModule } from '../stages/module.ts';
import { printJson } from './output.ts';

/** `zephyr schema recipe | target`: for editors; configs/schema holds the same. */
export async function schema([kind]: string[], _: unknown, modules: readonly StageModule[]): Promise<number> {
  if (kind !== 'recipe' && kind !== 'target')
    throw new ZephyrError(`Cannot print the schema of "${kind}": expected recipe or target`);
  printJson(jsonSchema(kind, await loadStages(modules)));
  return EXIT.done;
}

/** JSON Schema of what a user may write, for editors: configs/schema/recipe.json and target.json. */
export function jsonSchema(of: 'recipe' | 'target', stages: readonly Stage[]): Record<string, unknown> {
  const schema = of === 'recipe' ? recipeSpec(stages) : targetSpec(stages);
  return { title: `zephyr ${of}`, ...z.toJSONSchema(schema, { io: 'input' }) };
}
