import { openAsBlob } from 'node:fs';
import * as z from 'zod';
import { sha256, sha256File } from '../base/sha256.ts';
import { ZephyrError } from '../errors.ts';
import { formatRepo, type RepoId } from '../model/artifact.ts';
import type { Addition, CommitRequest } from './hub.ts';
import { apiPath, ask, type Remote, refusal } from './hub-request.ts';
import { type UploadRecord, UploadRecords } from './upload-record.ts';

/** Files that one question names; huggingface_hub asks for 256 at most. */
const ASKED_AT_ONCE = 100;
/** Bytes of a file by which the Hub tells text from data. */
const SAMPLE_BYTES = 512;

/** A large file, which goes ahead of the commit as an LFS object. */
export interface LargeFile {
  /** one of its paths in the repo */
  readonly path: string;
  readonly blob: Blob;
  readonly oid: string;
  readonly records: UploadRecords;
  /** How the client sends it: not at all where the Hub holds it, whole, or in parts, some of which the Hub may hold. */
  readonly way: UploadWay;
}

export type UploadWay =
  | { readonly kind: 'held' }
  | { readonly kind: 'whole'; readonly href: string; readonly header: Readonly<Record<string, string>> }
  | { readonly kind: 'parts'; readonly record: UploadRecord };

/** What a commit to a remote Hub has to move: asked of the Hub before a byte of it goes. */
export interface UploadPlan {
  readonly repo: RepoId;
  /** files that stand in the commit itself */
  readonly small: readonly { readonly path: string; readonly blob: Blob }[];
  /** each large file once, whatever the number of its paths */
  readonly large: readonly LargeFile[];
  /** the paths that name large files */
  readonly pointers: readonly { readonly path: string; readonly oid: string; readonly size: number }[];
  /** bytes of all files */
  readonly total: number;
  /** bytes that are to be sent, those in the commit included */
  readonly missing: number;
}

/** Above this, all files of a commit together, a commit is refused. Bytes. */
const MAX_COMMIT_BYTES = 64 * 2 ** 30;

/** Asks the Hub which files are large, hashes those, and asks which of them it holds. */
export async function planUpload(remote: Remote, request: CommitRequest, signal?: AbortSignal): Promise<UploadPlan> {
  const { repo, add } = request;
  const files = await Promise.all(add.map(async (addition) => ({ addition, path: addition.path, blob: await blobOf(addition) })));
  const total = files.reduce((sum, { blob }) => sum + blob.size, 0);
  expectBounded(repo, total);
  const isLarge = await largeOnes(remote, request, files, signal);
  const small = files.filter(({ path }) => !isLarge.has(path));
  const pointers: UploadPlan['pointers'][number][] = [];
  const unique = new Map<string, Omit<LargeFile, 'way'>>();
  for (const { addition, path, blob } of files.filter((file) => isLarge.has(file.path))) {
    const oid = await hashOf(addition, signal);
    pointers.push({ path, oid, size: blob.size });
    const records = new UploadRecords(remote.uploads, remote.url, formatRepo(repo), oid);
    unique.set(oid, { path, blob, oid, records });
  }
  const large = await waysOf(remote, repo, [...unique.values()], signal);
  const missing = [...small.map(({ blob }) => blob.size), ...large.map(missingOf)].reduce((sum, size) => sum + size, 0);
  return { repo, small, large, pointers, total, missing };
}

/** Bytes of a large file that are still to be sent. */
function missingOf({ blob, way }: LargeFile): number {
  if (way.kind === 'held') return 0;
  if (way.kind === 'whole') return blob.size;
  return partsOf(blob, way.record).reduce((sum, { number, size }) => sum + (way.record.done[number] === undefined ? size : 0), 0);
}

/** The parts of an upload by their numbers, in order. */
export function partsOf(blob: Blob, record: UploadRecord): { number: string; start: number; size: number }[] {
  const numbers = Object.keys(record.parts).sort((a, b) => Number(a) - Number(b));
  return numbers.map((number) => {
    const start = (Number(number) - 1) * record.chunk;
    return { number, start, size: Math.min(record.chunk, blob.size - start) };
  });
}

async function blobOf(addition: Addition): Promise<Blob> {
  if ('file' in addition) return await openAsBlob(addition.file);
  return new Blob([typeof addition.content === 'string' ? addition.content : new Uint8Array(addition.content)]);
}

async function hashOf(addition: Addition, signal: AbortSignal | undefined): Promise<string> {
  if (!('file' in addition)) return sha256(addition.content);
  return addition.sha256 ?? (await sha256File(addition.file, signal));
}

function expectBounded(repo: RepoId, total: number): void {
  if (total <= MAX_COMMIT_BYTES) return;
  throw new ZephyrError(`Cannot commit ${total} bytes to "${formatRepo(repo)}", expected at most ${MAX_COMMIT_BYTES}`, {
    exit: 'preflight',
    hint: 'Upload the files with the hf command of huggingface_hub, and name the repo as an input',
  });
}

const preuploaded = z.object({ files: z.array(z.object({ path: z.string(), uploadMode: z.string() })) });

/** The paths of the files that the Hub wants as LFS objects. */
async function largeOnes(
  remote: Remote,
  { repo, branch, add }: CommitRequest,
  files: readonly { readonly path: string; readonly blob: Blob }[],
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<string>> {
  const action = `commit to "${formatRepo(repo)}"`;
  const path = `${apiPath(repo)}/preupload/${encodeURIComponent(branch)}`;
  const attributes = files.find((file) => file.path === '.gitattributes');
  const gitAttributes = attributes === undefined ? {} : { gitAttributes: await attributes.blob.text() };
  const large = new Set<string>();
  for (let at = 0; at < add.length; at += ASKED_AT_ONCE) {
    const asked = files.slice(at, at + ASKED_AT_ONCE).map(async ({ path, blob }) => {
      const sample = Buffer.from(await blob.slice(0, SAMPLE_BYTES).arrayBuffer()).toString('base64');
      return { path, size: blob.size, sample };
    });
    const body = { ...gitAttributes, files: await Promise.all(asked) };
    const response = await ask(remote, action, { method: 'POST', path, body, signal });
    if (!response.ok) throw await refusal(remote, action, response);
    for (const file of preuploaded.parse(await response.json()).files) if (file.uploadMode === 'lfs') large.add(file.path);
  }
  return large;
}

/** How to send each large file: as the record of an earlier process says, else as the Hub answers. */
async function waysOf(
  remote: Remote,
  repo: RepoId,
  files: readonly Omit<LargeFile, 'way'>[],
  signal: AbortSignal | undefined,
): Promise<LargeFile[]> {
  const planned: LargeFile[] = [];
  const unknown: Omit<LargeFile, 'way'>[] = [];
  for (const file of files) {
    const record = await file.records.read();
    if (record === undefined) unknown.push(file);
    else planned.push({ ...file, way: { kind: 'parts', record } });
  }
  return [...planned, ...(await askWays(remote, repo, unknown, signal))];
}

const batchAnswer = z.object({
  objects: z.array(
    z.object({
      oid: z.string(),
      error: z.object({ message: z.string() }).optional(),
      actions: z
        .object({ upload: z.object({ href: z.string(), header: z.record(z.string(), z.string()).optional() }).optional() })
        .optional(),
    }),
  ),
});

/**
 * Asks the Hub how to send files to it (github.com/git-lfs/git-lfs, docs/api/batch.md, with the Hub's own `multipart`
 * transfer), without the records of earlier processes.
 */
export async function askWays(
  remote: Remote,
  repo: RepoId,
  files: readonly Omit<LargeFile, 'way'>[],
  signal: AbortSignal | undefined,
): Promise<LargeFile[]> {
  const path = `/${repo.type === 'model' ? '' : `${repo.type}s/`}${repo.name}.git/info/lfs/objects/batch`;
  const found: LargeFile[] = [];
  for (let at = 0; at < files.length; at += ASKED_AT_ONCE) {
    const some = files.slice(at, at + ASKED_AT_ONCE);
    const action = actionOf(repo, some);
    const objects = some.map(({ oid, blob }) => ({ oid, size: blob.size }));
    const body = { operation: 'upload', transfers: ['basic', 'multipart'], hash_algo: 'sha256', objects };
    const response = await ask(remote, action, { method: 'POST', path, body, signal });
    if (!response.ok) throw await refusal(remote, action, response);
    const answers = new Map(batchAnswer.parse(await response.json()).objects.map((object) => [object.oid, object]));
    for (const file of some) found.push({ ...file, way: wayOf(file, action, answers.get(file.oid)) });
  }
  return found;
}

type LfsBatchObject = z.infer<typeof batchAnswer>['objects'][number];

/** Reads the way from the answer for one file: without actions, the Hub holds the file already. */
function wayOf({ oid, blob }: Omit<LargeFile, 'way'>, action: string, answer: LfsBatchObject | undefined): UploadWay {
  if (answer?.error !== undefined)
    throw new ZephyrError(`Cannot ${action}: ${answer.error.message.replace(/\.+$/, '')}`, { exit: 'preflight' });
  const upload = answer?.actions?.upload;
  if (upload === undefined) return { kind: 'held' };
  const { chunk_size: chunk, ...header } = upload.header ?? {};
  if (chunk === undefined) return { kind: 'whole', href: upload.href, header };
  const numbered = Object.entries(header).filter(([name]) => /^\d+$/.test(name));
  const parts = Object.fromEntries(numbered.map(([name, address]) => [String(Number(name)), address]));
  return { kind: 'parts', record: { oid, size: blob.size, chunk: Number(chunk), href: upload.href, parts, done: {} } };
}

/** Completes "Cannot ..." in a message. */
export function actionOf(repo: RepoId, files: readonly { readonly path: string }[]): string {
  const [first] = files;
  const more = files.length > 1 ? ` and ${files.length - 1} more` : '';
  return `upload "${first?.path}"${more} to "${formatRepo(repo)}"`;
}
