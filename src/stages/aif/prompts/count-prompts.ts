import { readManifest } from '../../../hub/read-manifest.ts';
import type { Count, CountSource } from '../../module.ts';

/** How many prompts feedback will be bought for, where an earlier run has read them. */
export async function countPrompts({ hub, made }: CountSource): Promise<Count> {
  const artifact = made('prompts');
  const kept = artifact === undefined ? undefined : (await readManifest(hub, artifact.ref))?.metrics.prompts;
  return { count: typeof kept === 'number' ? kept : null };
}
