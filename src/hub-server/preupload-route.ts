import * as z from 'zod';
import { isLarge } from '../store/large-file.ts';
import { readCommit } from '../store/objects.ts';
import { findEntry } from '../store/tree.ts';
import { readJson } from './body.ts';
import { type Exchange, HttpError, sendJson } from './exchange.ts';
import { type Found, splitRevision } from './revision.ts';

const shape = z.object({
  files: z.array(z.object({ path: z.string(), size: z.int().nonnegative(), sample: z.string().nullish() })),
});

/** Which files go to LFS and which into the commit; and what is there now, so that a client can see that nothing changes. */
export async function preupload(exchange: Exchange, repo: Found, raw: string): Promise<void> {
  if (exchange.query.has('create_pr')) throw new HttpError(501, 'This Hub has no pull requests');
  const { commit } = await splitRevision(repo, raw);
  const { files } = await readJson(exchange, shape);
  const tree = (await readCommit(repo.folder, commit))?.tree ?? '';
  const answers = files.map(async ({ path, size, sample }) => {
    const now = await findEntry(exchange.store, repo.folder, tree, path);
    return {
      path,
      uploadMode: isLarge(path, size, Buffer.from(sample ?? '', 'base64')) ? 'lfs' : 'regular',
      shouldIgnore: false,
      ...(now?.kind === 'file' ? { oid: now.lfs?.sha256 ?? now.id } : {}),
    };
  });
  sendJson(exchange, 200, { files: await Promise.all(answers) });
}
