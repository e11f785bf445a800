import { join, resolve } from 'node:path';
import { ZephyrError } from '../errors.ts';
import { type ArtifactRef, formatRepo } from '../model/artifact.ts';
import { dataFault } from './data-fault.ts';
import { filesBelow } from './files-below.ts';
import type { Addition, CommitOutcome, CommitRequest, Hub } from './hub.ts';
import { safetensorsFault } from './safetensors.ts';
import { PICKLED } from './select-files.ts';
import type { TransferOptions } from './transfer.ts';

/**
 * Makes a local folder (a model, a dataset, a snapshot of another cache) the content of a repo's main branch, in one commit.
 * Into the embedded Hub the files come by hard link and are read-only from then on. Names that begin with a dot are left out,
 * but for the file in which a dataset names its configs.
 */
export async function importFolder(
  hub: Hub,
  folder: string,
  { repo, message }: Pick<CommitRequest, 'repo' | 'message'>,
  options: TransferOptions = {},
): Promise<ArtifactRef> {
  const add = await additions(resolve(folder));
  if (add.length === 0) throw new ZephyrError(`Cannot import "${folder}", expected a folder with files`);
  const isNew = (await hub.createRepo(repo)) === 'created';
  const parent = await hub.resolve({ ...repo, revision: 'main' });
  if (parent === undefined)
    throw new ZephyrError(`Cannot import into "${formatRepo(repo)}", it has no branch "main"`, { exit: 'preflight' });
  let outcome: CommitOutcome;
  try {
    outcome = await hub.commit({ repo, branch: 'main', parent, message, add, remove: 'all' }, options);
  } catch (error) {
    // why nothing was imported is the news, whatever comes of the tidying
    if (isNew) await hub.discardRepo(repo, parent).catch(() => undefined);
    throw error;
  }
  if (outcome.ok) return { ...repo, commit: outcome.commit };
  throw new ZephyrError(`Cannot import into "${formatRepo(repo)}", somebody else commits to it`, {
    exit: 'conflict',
    hint: 'Run the command again when the other one is done',
  });
}

async function additions(folder: string): Promise<Addition[]> {
  const found: Addition[] = [];
  for (const path of (await filesBelow(folder)).sort()) {
    const file = join(folder, path);
    if (PICKLED.test(path)) {
      throw new ZephyrError(`Cannot import "${file}", loading a pickle runs the code in it`, {
        hint: 'Save the weights as safetensors (save_pretrained does), and leave the file out of the folder',
      });
    }
    const damage = await dataFault(file);
    if (damage !== undefined)
      throw new ZephyrError(`Cannot import "${file}": ${damage}`, { hint: 'Nothing was imported: fetch the whole file first' });
    const fault = path.endsWith('.safetensors') ? await safetensorsFault(file) : undefined;
    if (fault !== undefined) throw new ZephyrError(`Cannot import "${file}", it is not a whole safetensors file: ${fault}`);
    found.push({ path, file });
  }
  return found;
}
