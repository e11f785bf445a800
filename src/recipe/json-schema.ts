import * as z from 'zod';
import type { Stage } from '../stages/module.ts';
import { recipeSpec } from './recipe.ts';
import { targetSpec } from './target.ts';

/** JSON Schema of what a user may write, for editors: configs/schema/recipe.json and target.json. */
export function jsonSchema(of: 'recipe' | 'target', stages: readonly Stage[]): Record<string, unknown> {
  const schema = of === 'recipe' ? recipeSpec(stages) : targetSpec(stages);
  return { title: `zephyr ${of}`, ...z.toJSONSchema(schema, { io: 'input' }) };
}
