import * as z from 'zod';
import { isLarge } from '../store/large-file.ts';
import { readBlob, readCommit } from '../store/objects.ts';
import { findEntry } from '../store/tree.ts';
import { readJson } from './body.ts';
import { type Exchange, HttpError, sendJson } from './exchange.ts';
import { ignoredBy, largeBy } from './git-patterns.ts';
import { type Found, splitRevision } from './revision.ts';

const shape = z.object({
  files: z.array(z.object({ path: z.string(), size: z.int().nonnegative(), sample: z.string().nullish() })),
  gitIgnore: z.string().nullish(),
  gitAttributes: z.string().nullish(),
});

/**
 * Which files go to LFS, which into the commit and which are left out; and what is there now, so that a client can see that
 * nothing changes. A client sends the `.gitignore` and the `.gitattributes` of the commit, else those of the repo count.
 */
export async function preupload(exchange: Exchange, repo: Found, raw: string): Promise<void> {
  if (exchange.query.has('create_pr')) throw new HttpError(501, 'This Hub has no pull requests');
  const { commit } = await splitRevision(repo, raw);
  const { files, gitIgnore, gitAttributes } = await readJson(exchange, shape);
  const tree = (await readCommit(repo.folder, commit))?.tree ?? '';
  const isIgnored = ignoredBy(gitIgnore ?? (await textAt(exchange, repo, tree, '.gitignore')) ?? '');
  const attributes = gitAttributes ?? (await textAt(exchange, repo, tree, '.gitattributes'));
  const byName = attributes === undefined ? undefined : largeBy(attributes);
  const answers = files.map(async ({ path, size, sample }) => {
    const now = await findEntry(exchange.store, repo.folder, tree, path);
    return {
      path,
      uploadMode: isLarge(path, size, Buffer.from(sample ?? '', 'base64'), byName?.(path)) ? 'lfs' : 'regular',
      shouldIgnore: isIgnored(path),
      ...(now?.kind === 'file' ? { oid: now.lfs?.sha256 ?? now.id } : {}),
    };
  });
  sendJson(exchange, 200, { files: await Promise.all(answers) });
}

async function textAt({ store }: Exchange, { folder }: Found, tree: string, path: string): Promise<string | undefined> {
  const entry = await findEntry(store, folder, tree, path);
  if (entry?.kind !== 'file' || entry.lfs !== undefined) return undefined;
  const blob = await readBlob(folder, entry.id);
  return blob.ok ? blob.bytes.toString('utf8') : undefined;
}
