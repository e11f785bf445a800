import { rm } from 'node:fs/promises';
import * as z from 'zod';
import { sha256Hex } from '../model/artifact.ts';
import { commit, type StoreCommitOutcome, type StoredAddition } from '../store/commit.ts';
import { temporaryPath } from '../store/durable.ts';
import { isRunBranch } from '../store/names.ts';
import { reclaim } from '../store/reclaim.ts';
import { parse } from './body.ts';
import { type CommitLine, commitLines } from './commit-lines.ts';
import { type Exchange, HttpError, sendJson } from './exchange.ts';
import { webPath } from './repo-routes.ts';
import { decodeSegments, type Found } from './revision.ts';

const operation = z.discriminatedUnion('key', [
  z.object({
    key: z.literal('header'),
    value: z.object({ summary: z.string(), description: z.string().nullish(), parentCommit: z.string().nullish() }),
  }),
  z.object({
    key: z.literal('file'),
    value: z.object({ path: z.string(), content: z.string(), encoding: z.string().nullish() }),
  }),
  z.object({ key: z.literal('lfsFile'), value: z.object({ path: z.string(), oid: sha256Hex, algo: z.string().nullish() }) }),
  z.object({ key: z.literal('deletedFile'), value: z.object({ path: z.string() }) }),
  z.object({ key: z.literal('deletedFolder'), value: z.object({ path: z.string() }) }),
]);

type Header = Extract<z.infer<typeof operation>, { key: 'header' }>['value'];

export async function commitTo(exchange: Exchange, repo: Found, raw: string): Promise<void> {
  if (exchange.query.has('create_pr')) throw new HttpError(501, 'This Hub has no pull requests');
  const branch = decodeSegments(raw)
    .join('/')
    .replace(/^refs\/heads\//, '');
  const files: string[] = [];
  const newFile = (): string => {
    const path = temporaryPath(exchange.store);
    files.push(path);
    return path;
  };
  try {
    const { header, add, remove } = await readOperations(exchange, newFile);
    const message = [header.summary, header.description].filter((text) => text != null && text !== '').join('\n\n');
    const parent = header.parentCommit == null || header.parentCommit === '' ? {} : { parent: header.parentCommit };
    const outcome = await commit(exchange.store, { repo: repo.id, branch, ...parent, message, add, remove });
    // the commit of a run may have dropped checkpoints, whose space can be given back
    if (outcome.ok && remove.length > 0 && isRunBranch(branch)) await reclaim(exchange.store).catch(exchange.onFault);
    answer(exchange, repo, branch, outcome);
  } finally {
    for (const path of files) await rm(path, { force: true });
  }
}

async function readOperations(
  { request }: Exchange,
  newFile: () => string,
): Promise<{ header: Header; add: StoredAddition[]; remove: string[] }> {
  let header: Header | undefined;
  const add: StoredAddition[] = [];
  const remove: string[] = [];
  for await (const line of commitLines(request, newFile)) {
    if (line.text.trim() === '') continue;
    const { key, value } = parse(line.text, operation);
    if (key === 'header') header = value;
    else if (key === 'lfsFile') add.push({ path: value.path, stored: value.oid });
    else if (key === 'file') add.push(addition(line, value));
    else remove.push(value.path.replace(/\/$/, ''));
  }
  if (header === undefined) throw new HttpError(400, 'Expected a header with a summary');
  return { header, add, remove };
}

/** An addition by its line. A `file` is kept inside the commit, since `preupload` told the client which files are regular. */
function addition(
  { mark, spilled }: CommitLine,
  { path, content, encoding }: { path: string; content: string; encoding?: string | null | undefined },
): StoredAddition {
  const file = content.startsWith(mark) ? spilled[Number(content.slice(mark.length))] : undefined;
  if (file !== undefined) return { path, file, regular: true };
  return { path, content: Buffer.from(content, encoding === 'utf-8' ? 'utf8' : 'base64'), regular: true };
}

function answer(exchange: Exchange, { id }: Found, branch: string, outcome: StoreCommitOutcome): void {
  if (outcome.ok) {
    const commitUrl = `${exchange.origin}/${webPath(id)}/commit/${outcome.commit}`;
    sendJson(exchange, 200, { success: true, commitOid: outcome.commit, commitUrl, hookOutput: '' });
    return;
  }
  switch (outcome.reason) {
    case 'moved':
      throw new HttpError(412, 'A commit has happened since. Please refresh and try again.');
    case 'no-branch':
      throw new HttpError(404, `Invalid rev id: ${branch}`, { code: 'RevisionNotFound' });
    case 'no-entry':
      throw new HttpError(404, `"${outcome.path}" does not exist on "${branch}"`, { code: 'EntryNotFound' });
    case 'bad-path':
      throw new HttpError(422, `"${outcome.path}" cannot be a file's path here`);
    case 'not-stored':
      throw new HttpError(400, `The large file of "${outcome.path}" was not uploaded`);
  }
}
