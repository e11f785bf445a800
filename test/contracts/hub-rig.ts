import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Addition, Hub } from '../../src/hub/hub.ts';
import type { ArtifactRef, RepoId } from '../../src/model/artifact.ts';

/** Gives an empty Hub that keeps what it has below a folder. */
export type OpenHub = (folder: string) => Promise<{ hub: Hub; close(): Promise<void> }>;

export const repo: RepoId = { type: 'model', name: 'org/base' };

export const hash = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const withHub = (open: OpenHub, work: (hub: Hub, folder: string) => Promise<void>) => async (): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-hub-'));
  const { hub, close } = await open(folder);
  try {
    await work(hub, folder);
  } finally {
    await close();
    await rm(folder, { recursive: true, force: true });
  }
};

export async function head(hub: Hub, of: RepoId = repo, branch = 'main'): Promise<string> {
  const commit = await hub.resolve({ ...of, revision: branch });
  assert.ok(commit);
  return commit;
}

export async function add(hub: Hub, additions: readonly Addition[], of: RepoId = repo, branch = 'main'): Promise<ArtifactRef> {
  const parent = await head(hub, of, branch);
  const outcome = await hub.commit({ repo: of, branch, parent, message: 'Add files', add: additions });
  assert.ok(outcome.ok);
  return { ...of, commit: outcome.commit };
}
