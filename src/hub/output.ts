import type { ArtifactRef, RepoId } from '../model/artifact.ts';
import { MANIFEST_FILE } from '../model/manifest.ts';
import { isDamage } from './damage.ts';
import type { Hub } from './hub.ts';
import { readManifest } from './read-ref.ts';

/** What the main branch of a repo to publish in holds now: nothing, an artifact of zephyr's, or files of somebody else. */
export interface Output {
  readonly repo: RepoId;
  readonly holds: 'nothing' | 'artifact' | 'other files';
  /** of the files that zephyr did not make, the first few, by path */
  readonly others: readonly string[];
}

/** Files that every repo may have beside an artifact; publishing writes the card anew. */
const BESIDE: ReadonlySet<string> = new Set(['.gitattributes', MANIFEST_FILE, 'README.md']);
/** Files in which `zephyr card` tells the Hub's own tables of results. They are of certain weights: the next publishing drops them. */
export const OUR_RESULTS = /^\.eval_results\/zephyr-[a-z0-9-]+\.yaml$/;
const SHOWN = 3;

/** What one commit of a repo to publish in holds. An artifact whose own record is damaged is one: it may be made again. */
export async function outputAt(hub: Hub, ref: ArtifactRef): Promise<Output> {
  const repo = { type: ref.type, name: ref.name };
  const [manifest, tree] = await Promise.all([readManifest(hub, ref).catch(damaged), hub.tree(ref)]);
  if (manifest === 'damaged') return { repo, holds: 'artifact', others: [] };
  const made = new Set(manifest?.files.map(({ path }) => path));
  const paths = tree.map(({ path }) => path);
  const others =
    manifest === undefined
      ? paths.filter((path) => path !== '.gitattributes')
      : paths.filter((path) => !made.has(path) && !BESIDE.has(path) && !OUR_RESULTS.test(path));
  if (others.length > 0) return { repo, holds: 'other files', others: others.slice(0, SHOWN) };
  return { repo, holds: manifest === undefined ? 'nothing' : 'artifact', others: [] };
}

function damaged(error: unknown): 'damaged' {
  if (isDamage(error)) return 'damaged';
  throw error;
}
