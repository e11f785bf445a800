import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256File } from '../base/sha256.ts';
import { ZephyrError } from '../errors.ts';
import type { Addition, CommitRequest, Hub } from '../hub/hub.ts';
import { outputAt } from '../hub/output.ts';
import type { TransferOptions } from '../hub/transfer.ts';
import { type ArtifactRef, formatRepo } from '../model/artifact.ts';
import { contentDigest, type FileDigest } from '../model/content-digest.ts';
import { fingerprintTag, type Ingredients } from '../model/fingerprint.ts';
import { type Attempt, MANIFEST_FILE, type Manifest } from '../model/manifest.ts';
import type { Artifact } from '../model/outcome.ts';
import { refuseOthersFiles } from '../plan/outputs.ts';
import type { Step } from '../stages/stage.ts';
import { cardOf } from './card.ts';
import type { Engine } from './engine.ts';
import { keepOwnWords } from './kept-card.ts';
import { moveFiles } from './move-files.ts';

/** Formats that execute code when they are read: never part of an artifact. */
const PICKLES = /\.(bin|pt|pth|pkl|pickle|ckpt)$/;
/** A branch that moves between two commits of ours is read again this often. */
const TRIES = 8;

type Publisher = Pick<Engine, 'hub' | 'emit' | 'signal' | 'now' | 'version'>;

export interface Made {
  readonly step: Step;
  readonly run: string;
  readonly fingerprint: string;
  readonly ingredients: Ingredients;
  readonly inputs: Readonly<Record<string, Artifact>>;
  /** The files of the artifact; they are taken in by hard link and must not be written to any more. */
  readonly folder: string;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly costUsd: number;
  readonly attempts: readonly Attempt[];
}

/**
 * Files, card and manifest in one commit on `main` of the step's output repo, then the fingerprint's tag. Either all of
 * it is there or nothing; a crash between commit and tag is healed by the next process that looks for the fingerprint.
 */
export async function publish(engine: Publisher, made: Made): Promise<{ artifact: Artifact; manifest: Manifest }> {
  const { hub, now, version } = engine;
  const moving = { direction: 'upload', what: 'result' } as const;
  const found = await moveFiles(engine, made.step, moving, ({ signal }) => digestFolder(made.folder, signal));
  const files = found.filter(({ path }) => path !== MANIFEST_FILE);
  const pickle = files.find(({ path }) => PICKLES.test(path));
  if (pickle !== undefined)
    throw new Error(
      `Cannot publish "${pickle.path}" of ${made.step.stage}/${made.step.name}: pickles are never part of an artifact`,
    );
  if (files.length === 0) throw new Error(`Cannot publish ${made.step.stage}/${made.step.name}: "${made.folder}" holds no file`);
  const manifest: Manifest = {
    version: 1,
    stage: made.step.stage,
    step: made.step.name,
    run: made.run,
    fingerprint: made.fingerprint,
    ingredients: made.ingredients,
    inputs: Object.fromEntries(Object.entries(made.inputs).map(([name, { ref, digest }]) => [name, { ...ref, digest }])),
    digest: contentDigest(files),
    files: files.filter(({ path }) => path !== 'README.md'),
    metrics: { ...made.metrics },
    versions: { ...made.versions },
    costUsd: made.costUsd,
    attempts: [...made.attempts],
    zephyr: version,
    createdAt: now().toISOString(),
  };
  const add: Addition[] = manifest.files.map((file) => ({
    path: file.path,
    file: join(made.folder, file.path),
    sha256: file.sha256,
  }));
  add.push({ path: MANIFEST_FILE, content: `${JSON.stringify(manifest, null, 2)}\n` });
  const card = await cardOf(hub, made.step, manifest, made.folder);
  const message = `zephyr: ${made.step.stage}/${made.step.name} ${made.fingerprint.slice(0, 16)}`;
  const ref = await moveFiles(engine, made.step, moving, (transfer) =>
    commitOnMain(hub, made.step, { message, add, card }, transfer),
  );
  const tag = fingerprintTag(made.fingerprint);
  // the tag may name an artifact that was found damaged, or an equal one that another run made meanwhile: it moves
  if ((await hub.createTag(ref, tag, ref.commit)) === 'exists') await hub.moveTag(ref, tag, ref.commit);
  await rm(made.folder, { recursive: true, force: true });
  return { artifact: { ref, digest: manifest.digest }, manifest };
}

async function commitOnMain(
  hub: Hub,
  step: Step,
  { message, add, card }: Pick<CommitRequest, 'message' | 'add'> & { readonly card: string },
  transfer: TransferOptions,
): Promise<ArtifactRef> {
  await hub.createRepo(step.output);
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const parent = await hub.resolve({ ...step.output, revision: 'main' });
    if (parent === undefined) break;
    refuseOthersFiles([await outputAt(hub, { ...step.output, commit: parent })], hub);
    const content = await keepOwnWords(hub, { ...step.output, commit: parent }, card);
    const all = [...add, { path: 'README.md', content }];
    const request: CommitRequest = { repo: step.output, branch: 'main', parent, message, add: all, remove: 'all' };
    const outcome = await hub.commit(request, transfer);
    if (outcome.ok) return { ...step.output, commit: outcome.commit };
  }
  throw new ZephyrError(
    `Cannot publish to "${formatRepo(step.output)}" on ${hub.name}: its main branch moved ${TRIES} times meanwhile`,
    {
      exit: 'temporary',
      hint: 'the work is kept; run zephyr resume with the run id above',
    },
  );
}

/** Every regular file below a folder with its size and hash, sorted by path (`/` between the parts). */
async function digestFolder(folder: string, signal?: AbortSignal): Promise<FileDigest[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const digests: FileDigest[] = [];
  for (const path of paths.sort()) {
    digests.push({ path: path.slice(folder.length + 1), size: (await stat(path)).size, sha256: await sha256File(path, signal) });
  }
  return digests;
}
