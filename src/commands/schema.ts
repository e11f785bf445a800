import { EXIT, ZephyrError } from '../errors.ts';
import { jsonSchema } from '../recipe/json-schema.ts';
import { printJson } from './output.ts';

/** `zephyr schema recipe | target`: for editors; configs/schema holds the same. */
export async function schema([kind]: string[]): Promise<number> {
  if (kind !== 'recipe' && kind !== 'target')
    throw new ZephyrError(`Cannot print the schema of "${kind}": expected recipe or target`);
  printJson(jsonSchema(kind));
  return EXIT.done;
}
