import { basename } from 'node:path';
import { EXIT, ZephyrError } from '../errors.ts';
import { importFolder } from '../hub/import-folder.ts';
import { formatRef } from '../model/artifact.ts';
import { type Options, openQuietContext } from './context.ts';
import { refOf } from './read-id.ts';
import { setDocument } from './verdict.ts';

const EXAMPLE = 'zephyr hub import ./Mistral-7B-v0.1 --as hf://models/mistralai/Mistral-7B-v0.1';

/** `zephyr hub import FOLDER --as REF`: a folder becomes what a repo of the embedded Hub holds. */
export async function importToHub(folder: string | undefined, options: Options & { readonly as?: string }): Promise<number> {
  if (folder === undefined) throw new ZephyrError('Cannot import: no folder', { hint: EXAMPLE });
  if (options.as === undefined) throw new ZephyrError(`Cannot import "${folder}": no repo to import into`, { hint: EXAMPLE });
  const repo = refOf(options.as, 'import into', EXAMPLE);
  await using context = await openQuietContext(options);
  const ref = await importFolder(context.hub, folder, {
    repo: { type: repo.type, name: repo.name },
    message: `Import ${basename(folder)}`,
  });
  if (options.json === true) setDocument([formatRef(ref)], {});
  else process.stdout.write(`${formatRef(ref)}\n`);
  return EXIT.done;
}
