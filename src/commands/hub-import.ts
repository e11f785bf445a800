import { basename } from 'node:path';
import { EXIT, ZephyrError } from '../errors.ts';
import { importFolder } from '../hub/import-folder.ts';
import { formatRef, parseRef } from '../model/artifact.ts';
import { type Options, openQuietContext } from './context.ts';

/** `zephyr hub import FOLDER --as REF`: a folder becomes what a repo of the embedded Hub holds. */
export async function importToHub(folder: string | undefined, options: Options & { readonly as?: string }): Promise<number> {
  const repo = parseRef(options.as ?? '');
  if (folder === undefined || repo === undefined) {
    throw new ZephyrError(`Cannot import${folder === undefined ? ': no folder' : ` "${folder}": no repo to import into`}`, {
      hint: 'zephyr hub import ./Mistral-7B-v0.1 --as hf://models/mistralai/Mistral-7B-v0.1',
    });
  }
  await using context = await openQuietContext(options);
  const ref = await importFolder(context.hub, folder, { type: repo.type, name: repo.name }, `Import ${basename(folder)}`);
  process.stdout.write(`${formatRef(ref)}\n`);
  return EXIT.done;
}
