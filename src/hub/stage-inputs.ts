import { join, relative } from 'node:path';
import { ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { contentDigest } from '../model/content-digest.ts';
import type { Artifact } from '../model/outcome.ts';
import type { Hub } from './hub.ts';
import type { TransferOptions } from './transfer.ts';

/**
 * Lays every input out as a Hugging Face cache under `folder/in`, every byte hashed, and says where each one is,
 * relative to `folder`.
 */
export async function stageInputs(
  hub: Hub,
  inputs: Readonly<Record<string, Artifact>>,
  folder: string,
  transfer: TransferOptions = {},
): Promise<Record<string, string>> {
  const staged: Record<string, string> = {};
  for (const [name, { ref, digest }] of Object.entries(inputs)) {
    const { folder: snapshot, files } = await hub.materialise(ref, join(folder, 'in'), transfer);
    const found = contentDigest(files);
    if (found !== digest) {
      throw new ZephyrError(
        `Cannot use ${formatRef(ref)}: its content is ${found.slice(0, 16)}, expected ${digest.slice(0, 16)}`,
        {
          exit: 'preflight',
          hint: 'the artifact was changed after it was recorded; run its stage again',
        },
      );
    }
    staged[name] = relative(folder, snapshot);
  }
  return staged;
}
