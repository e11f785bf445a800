import { EXIT, ZephyrError } from '../errors.ts';
import { jsonSchema } from '../recipe/json-schema.ts';
import { loadStages, type StageModule } from '../stages/module.ts';
import { printJson } from './output.ts';

/** `zephyr schema recipe | target`: for editors; configs/schema holds the same. */
export async function schema([kind]: string[], _: unknown, modules: readonly StageModule[]): Promise<number> {
  if (kind !== 'recipe' && kind !== 'target')
    throw new ZephyrError(`Cannot print the schema of "${kind}": expected recipe or target`);
  printJson(jsonSchema(kind, await loadStages(modules)));
  return EXIT.done;
}
