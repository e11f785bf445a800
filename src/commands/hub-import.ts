import { basename } from 'node:path';
import { EXIT, ZephyrError } from '../errors.ts';
import { importFolder } from '../hub/import-folder.ts';
import { formatRef, formatRepo } from '../model/artifact.ts';
import { formatBytes } from '../render/format.ts';
import { type Options, openQuietContext, openRemote } from './context.ts';
import { watchSignals } from './interrupt.ts';
import { refOf } from './read-id.ts';
import { beside, transferProgress } from './transfer-progress.ts';
import { setDocument } from './verdict.ts';

const EXAMPLE = 'zephyr hub import ./Mistral-7B-v0.1 --as hf://models/mistralai/Mistral-7B-v0.1';

/** `zephyr hub import FOLDER --as REF`: a folder becomes what a repo of the embedded Hub, or of the one of `--hub`, holds. */
export async function importToHub(folder: string | undefined, options: Options & { readonly as?: string }): Promise<number> {
  if (folder === undefined) throw new ZephyrError('Cannot import: no folder', { hint: EXAMPLE });
  if (options.as === undefined) throw new ZephyrError(`Cannot import "${folder}": no repo to import into`, { hint: EXAMPLE });
  const repo = refOf(options.as, 'import into', EXAMPLE);
  await using context = await openQuietContext(options, watchSignals());
  const { env, signal } = context;
  const progress = transferProgress(process.stderr);
  const emit = beside(progress, context.emit);
  const to = options.hub === undefined ? context.hub : await openRemote(env, options.hub, { signal, emit });
  const begins = (files: number, bytes: number): void => {
    if (to !== context.hub) process.stderr.write(`importing ${folder} to ${to.name}: ${files} files, ${formatBytes(bytes)}\n`);
    progress.begin(formatRepo(repo));
  };
  const request = { repo: { type: repo.type, name: repo.name }, message: `Import ${basename(folder)}` };
  const ref = await importFolder(to, folder, request, { signal, begins, progress: progress.moved }).finally(progress.end);
  if (options.json === true) setDocument([formatRef(ref)], {});
  else process.stdout.write(`${formatRef(ref)}\n`);
  return EXIT.done;
}
