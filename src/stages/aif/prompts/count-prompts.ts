import type { Hub } from '../../../hub/hub.ts';
import { readManifest } from '../../../hub/read-manifest.ts';
import type { Fate } from '../../../plan/explain.ts';

/** How many prompts feedback will be bought for, where an earlier run has read them; else null. */
export async function promptsOf(fates: readonly Fate[], hub: Hub): Promise<number | null> {
  const fate = fates.find(({ step }) => step.stage === 'aif' && step.name === 'prompts');
  if (fate?.fate !== 'reuse') return null;
  const kept = (await readManifest(hub, fate.artifact.ref))?.metrics.prompts;
  return typeof kept === 'number' ? kept : null;
}
