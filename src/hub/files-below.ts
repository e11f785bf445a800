import { readdir, readlink, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ZephyrError } from '../errors.ts';

/** Where a dataset names its configs: the one hidden file that is not left out. */
const CONFIGS = '.huggingface.yaml';

/**
 * Paths of all files below a folder, hidden ones left out. Links are followed, to files (those of a Hugging Face cache are
 * links) and to folders; `above` are the folders that this one lies in, so that a circle of links is seen.
 */
export async function filesBelow(folder: string, prefix = '', above: readonly string[] = []): Promise<string[]> {
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
