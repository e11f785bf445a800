import type { ArtifactRef } from '../model/artifact.ts';
import { MANIFEST_FILE, type Manifest, manifest } from '../model/manifest.ts';
import type { Hub } from './hub.ts';

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
