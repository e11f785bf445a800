import { open, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ZephyrError } from '../errors.ts';
import { type ArtifactRef, formatRepo } from '../model/artifact.ts';
import { LFS_POINTER } from '../store/lfs-pointer.ts';
import type { CommitOutcome, CommitRequest, Hub } from './hub.ts';
import { safetensorsFault } from './safetensors.ts';
import { PICKLED } from './select-files.ts';
import type { TransferOptions } from './transfer.ts';

interface ImportOptions extends TransferOptions {
  /** Called with the number of files and their bytes before anything is written. */
  readonly begins?: (files: number, bytes: number) => void;
}

/**
 * Makes a local folder (a model, a dataset, a snapshot of another cache) the content of a repo's main branch, in one commit.
 * Into the embedded Hub the files come by hard link and are read-only from then on. Names that begin with a dot are left out,
 * but for the file in which a dataset names its configs.
 */
export async function importFolder(
  hub: Hub,
  folder: string,
  { repo, message }: Pick<CommitRequest, 'repo' | 'message'>,
  options: ImportOptions = {},
): Promise<ArtifactRef> {
  const add = await additions(resolve(folder));
  if (add.length === 0) throw new ZephyrError(`Cannot import "${folder}", expected a folder with files`);
  const sizes = await Promise.all(add.map(async ({ file }) => (await stat(file)).size));
  options.begins?.(
    add.length,
    sizes.reduce((sum, size) => sum + size, 0),
  );
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

async function additions(folder: string): Promise<{ path: string; file: string }[]> {
  const found: { path: string; file: string }[] = [];
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

/** Both ends of a Parquet file (parquet.apache.org/docs/file-format). */
const PARQUET = 'PAR1';

/**
 * What is wrong with a file, seen from its first and last bytes; undefined when nothing is. Finds a Git LFS pointer by what
 * it says, whatever its name, and a file that is named as Parquet and is none, or not all of one.
 */
async function dataFault(path: string): Promise<string | undefined> {
  await using file = await open(path);
  const { size } = await file.stat();
  const read = async (at: number, length: number) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
    return buffer.subarray(0, bytesRead);
  };
  const head = (await read(0, LFS_POINTER.length)).toString('latin1');
  if (head === LFS_POINTER) return 'it is a Git LFS pointer, not the file: git lfs pull';
  if (!path.endsWith('.parquet')) return undefined;
  if (!head.startsWith(PARQUET)) return size === 0 ? 'it is empty, and no Parquet file' : 'it is no Parquet file';
  const tail = size < 12 ? Buffer.alloc(0) : await read(size - 8, 8);
  if (tail.toString('latin1', 4) !== PARQUET || tail.readUInt32LE(0) > size - 12)
    return 'it is no whole Parquet file, its end is missing';
  return undefined;
}

/** Where a dataset names its configs: the one hidden file that is not left out. */
const CONFIGS = '.huggingface.yaml';

/**
 * Paths of all files below a folder, hidden ones left out. Links are followed, to files (those of a Hugging Face cache are
 * links) and to folders; `above` are the folders that this one lies in, so that a circle of links is seen.
 */
async function filesBelow(folder: string, prefix = '', above: readonly string[] = []): Promise<string[]> {
  const at = join(folder, prefix);
  const [own, entries] = await Promise.all([realpath(at), readdir(at)]).catch((error: NodeJS.ErrnoException) => {
    throw new ZephyrError(`Cannot read the folder "${at}"`, { exit: isRefused(error) ? 'preflight' : 'usage', cause: error });
  });
  if (above.includes(own)) {
    throw new ZephyrError(`Cannot import "${at}", the link leads back to a folder that it lies in`, {
      exit: 'preflight',
      hint: 'Remove the link, or import a copy without it',
    });
  }
  const found: string[] = [];
  for (const name of entries) {
    const path = join(prefix, name);
    if (name.startsWith('.') && path !== CONFIGS) continue;
    const info = await stat(join(folder, path)).catch(async (error: NodeJS.ErrnoException) => {
      const target = await readlink(join(folder, path)).catch(() => undefined);
      throw target === undefined ? error : brokenLink(join(folder, path), target, error);
    });
    if (info.isFile()) found.push(path);
    else if (info.isDirectory()) found.push(...(await filesBelow(folder, path, [...above, own])));
  }
  return found;
}

function isRefused({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EACCES' || code === 'EPERM' || code === 'ELOOP';
}

function brokenLink(path: string, target: string, cause: NodeJS.ErrnoException): ZephyrError {
  const where = cause.code === 'ELOOP' ? 'leads in a circle' : `leads to "${target}", which is not there`;
  return new ZephyrError(`Cannot import "${path}", the link ${where}`, {
    exit: 'preflight',
    hint: 'Remove the link or bring what it leads to: a cache of another machine holds links alone',
    cause,
  });
}
