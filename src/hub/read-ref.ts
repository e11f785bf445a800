import type { ArtifactRef, FloatingRef } from '../model/artifact.ts';
import { MANIFEST_FILE, type Manifest, manifest } from '../model/manifest.ts';
import type { Hub } from './hub.ts';

const SHORT = /^[0-9a-f]{7,39}$/;

/**
 * The commit that a reference names: a branch, a tag, a commit, or the first digits of one as they are printed. A Hub that
 * knows no short ids is asked for its branches and tags, to one of which every artifact's commit belongs.
 */
export async function resolveRef(hub: Hub, ref: FloatingRef): Promise<string | undefined> {
  const found = await hub.resolve(ref);
  if (found !== undefined || !SHORT.test(ref.revision)) return found;
  const refs = await hub.refs(ref);
  const commits = new Set([...Object.values(refs?.branches ?? {}), ...Object.values(refs?.tags ?? {})]);
  const fitting = [...commits].filter((commit) => commit.startsWith(ref.revision));
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** `zephyr.json` of a commit; `undefined` when there is none, or none that this version can read. */
export async function readManifest(hub: Hub, ref: ArtifactRef): Promise<Manifest | undefined> {
  const bytes = await hub.read(ref, MANIFEST_FILE);
  if (bytes === undefined) return undefined;
  try {
    return manifest.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
