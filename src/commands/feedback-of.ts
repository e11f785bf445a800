import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import type { Context } from './context.ts';
import { findArtifact } from './read-id.ts';

/** A dataset that a user names, its files in a folder that is gone when the command ends. */
export async function feedbackOf(context: Context, id: string): Promise<{ ref: ArtifactRef; id: string; folder: string }> {
  const ref = await findArtifact(context.hub, id, ['dataset']);
  await mkdir(context.home, { recursive: true });
  // the folder lies beside the Hub, so that files come by hard link
  const cache = await mkdtemp(join(context.home, 'reading-'));
  context.onClose(() => rm(cache, { recursive: true, force: true }));
  const { folder } = await context.hub.materialise(ref, cache);
  return { ref, id: formatRef(ref), folder };
}
