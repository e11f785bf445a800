import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ZephyrError } from '../errors.ts';
import { resolveRef } from '../hub/resolve.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import type { Context } from './context.ts';
import { readId } from './read-id.ts';

/** A dataset that a user names, its files in a folder that is gone when the command ends. */
export async function feedbackOf(context: Context, id: string): Promise<{ ref: ArtifactRef; id: string; folder: string }> {
  const named = await readId(context.hub, id);
  if (named?.type !== 'dataset') {
    throw new ZephyrError(`Cannot read the ID "${id}": expected hf://datasets/ORG/NAME@COMMIT`, {
      hint: 'zephyr aif prints the ID of the feedback that it made',
    });
  }
  const commit = await resolveRef(context.hub, named);
  if (commit === undefined) {
    throw new ZephyrError(`Cannot find "${id}" on ${context.hub.name}`, {
      exit: 'preflight',
      hint: 'zephyr hub ls lists what is there',
    });
  }
  const ref = { type: named.type, name: named.name, commit };
  await mkdir(context.home, { recursive: true });
  // beside the Hub, so that its files come by hard link
  const cache = await mkdtemp(join(context.home, 'reading-'));
  context.onClose(() => rm(cache, { recursive: true, force: true }));
  const { folder } = await context.hub.materialise(ref, cache);
  return { ref, id: formatRef(ref), folder };
}
