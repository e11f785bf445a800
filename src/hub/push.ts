import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ZephyrError } from '../errors.ts';
import { type ArtifactRef, formatRef, formatRepo, type RepoId } from '../model/artifact.ts';
import { fingerprintTag } from '../model/fingerprint.ts';
import type { Hub } from './hub.ts';
import { outputAt } from './output.ts';
import { readManifest } from './read-ref.ts';
import type { TransferOptions } from './transfer.ts';

export interface PushRequest {
  readonly from: Hub;
  readonly to: Hub;
  readonly ref: ArtifactRef;
  /** the repo to push to */
  readonly as: RepoId;
  /** A folder for links to the files, on the disk of the embedded Hub. */
  readonly scratch: string;
  /** Whether the push may replace files that zephyr did not put there. */
  readonly replaces: boolean;
  readonly begins: (files: number, bytes: number) => void;
  /** Progress of the upload, and the signal that stops it. */
  readonly transfer?: TransferOptions;
}

/**
 * Brings an artifact of the embedded Hub to another one, private where the repo is new, in one commit. An artifact that
 * zephyr made gets the tag of its fingerprint there too, so that runs with that Hub use it again.
 */
export async function push({
  from,
  to,
  ref,
  as,
  scratch,
  replaces,
  begins,
  transfer = {},
}: PushRequest): Promise<{ ref: ArtifactRef; isNew: boolean }> {
  const { folder, files } = await from.materialise(ref, scratch, { signal: transfer.signal });
  await to.createRepo(as);
  const parent = await to.resolve({ ...as, revision: 'main' });
  if (parent === undefined)
    throw new ZephyrError(`Cannot push to "${formatRepo(as)}", it has no branch "main"`, { exit: 'preflight' });
  const made = await readManifest(from, ref);
  const there = (await to.tree({ ...as, commit: parent })).filter(({ path }) => path !== '.gitattributes');
  const { holds, others } = await outputAt(to, { ...as, commit: parent });
  // a lone README.md may come from the web page that created the repo, so the push may replace it
  const isOurs = holds !== 'other files' || others.every((path) => path === 'README.md');
  if (!isOurs && !replaces && !(await isSame(to, { ...as, commit: parent }, files))) {
    throw new ZephyrError(
      `Cannot push to "${formatRepo(as)}" at ${to.name}, its main branch holds what zephyr did not put there`,
      {
        exit: 'conflict',
        hint: `push it under another name (--as hf://${as.type}s/ORG/NAME), or add --yes to replace what is there`,
      },
    );
  }
  begins(
    files.length,
    files.reduce((sum, { size }) => sum + size, 0),
  );
  const named = new Set(files.map(({ path }) => path));
  const add = files.map(({ path, sha256 }) => ({ path, file: join(folder, path), sha256 }));
  const remove = there.map(({ path }) => path).filter((path) => !named.has(path));
  const outcome = await to.commit({ repo: as, branch: 'main', parent, message: `Push ${formatRef(ref)}`, add, remove }, transfer);
  if (!outcome.ok) {
    throw new ZephyrError(`Cannot push to "${formatRepo(as)}", somebody else commits to it`, {
      exit: 'conflict',
      hint: 'run the command again when the other one is done; what was sent is not sent again',
    });
  }
  const { commit } = outcome;
  if (made !== undefined) {
    const tag = fingerprintTag(made.fingerprint);
    if ((await to.createTag(as, tag, commit)) === 'exists') await to.moveTag(as, tag, commit);
  }
  await rm(scratch, { recursive: true, force: true });
  return { ref: { ...as, commit }, isNew: commit !== parent };
}

/** Whether the branch holds these very files: an earlier push landed, and its process did not see it end. */
async function isSame(
  to: Hub,
  ref: ArtifactRef,
  files: readonly { readonly path: string; readonly size: number; readonly sha256: string }[],
): Promise<boolean> {
  return await to.verify(ref, files).then(
    () => true,
    () => false,
  );
}
