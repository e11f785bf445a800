import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Hub } from './hub.ts';
import { readManifest } from './read-ref.ts';

/** An artifact that something was made of. */
export interface Ancestor {
  readonly ref: ArtifactRef;
  /** whether the Hub has it: a base model may lie on another one */
  readonly isHere: boolean;
  /** undefined of what zephyr did not make, and of what is not here */
  readonly manifest: Manifest | undefined;
}

/** These artifacts and all that they were made of, at any remove, nearest first. `follows`: whether to go on to an input. */
export async function ancestry(
  hub: Hub,
  subjects: readonly ArtifactRef[],
  follows: (input: ArtifactRef) => boolean = () => true,
): Promise<Ancestor[]> {
  const found = new Map<string, Ancestor>();
  for (let wanted = subjects; wanted.length > 0; ) {
    const fresh = new Map(wanted.map((ref) => [formatRef(ref), ref] as const).filter(([id]) => !found.has(id)));
    const ancestors = await Promise.all([...fresh.values()].map((ref) => ancestorAt(hub, ref)));
    for (const ancestor of ancestors) found.set(formatRef(ancestor.ref), ancestor);
    wanted = ancestors.flatMap(({ manifest }) => Object.values(manifest?.inputs ?? {})).filter(follows);
  }
  return [...found.values()];
}

async function ancestorAt(hub: Hub, { type, name, commit }: ArtifactRef): Promise<Ancestor> {
  const ref = { type, name, commit };
  const isHere = (await hub.resolve({ type, name, revision: commit })) !== undefined;
  return { ref, isHere, manifest: isHere ? await readManifest(hub, ref) : undefined };
}
