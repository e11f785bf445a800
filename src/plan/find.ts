import type { Hub } from '../hub/hub.ts';
import { readManifest } from '../hub/read-ref.ts';
import type { RepoId } from '../model/artifact.ts';
import { fingerprintTag } from '../model/fingerprint.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Artifact } from '../model/outcome.ts';

/** What an equal step has published before. */
export interface Candidate {
  readonly artifact: Artifact;
  readonly manifest: Manifest;
}

/** The artifact with this fingerprint in this repo: by its tag, then by all 64 digits, since a tag has 16 and can be moved. */
export async function findCandidate(hub: Hub, repo: RepoId, fingerprint: string): Promise<Candidate | undefined> {
  const candidate = await candidateAt(hub, repo, fingerprintTag(fingerprint));
  return candidate?.manifest.fingerprint === fingerprint ? candidate : undefined;
}

/** What the repo's main branch holds: not equal to the step, but the thing to compare it with. */
export async function nearestCandidate(hub: Hub, repo: RepoId): Promise<Candidate | undefined> {
  return await candidateAt(hub, repo, 'main');
}

async function candidateAt(hub: Hub, repo: RepoId, revision: string): Promise<Candidate | undefined> {
  const commit = await hub.resolve({ ...repo, revision });
  if (commit === undefined) return undefined;
  const ref = { ...repo, commit };
  const manifest = await readManifest(hub, ref);
  return manifest === undefined ? undefined : { artifact: { ref, digest: manifest.digest }, manifest };
}
