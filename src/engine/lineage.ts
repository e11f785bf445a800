import { parse } from 'yaml';
import * as z from 'zod';
import type { Hub } from '../hub/hub.ts';
import { readManifest } from '../hub/read-ref.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import type { Manifest } from '../model/manifest.ts';

/** Something that an artifact was made of, directly or by way of others. */
export interface MadeOf {
  readonly ref: ArtifactRef;
  /** undefined of what zephyr did not make */
  readonly manifest: Manifest | undefined;
  /** as its card says it, of what zephyr did not make; undefined where the card says none */
  readonly licence: string | undefined;
}

const head = z.looseObject({ license: z.union([z.string(), z.array(z.string()).transform((all) => all.join(', '))]) });

/** All that an artifact was made of, the nearest first. What the Hub does not have (any more) is named nevertheless. */
export async function lineageOf(hub: Hub, { inputs }: Pick<Manifest, 'inputs'>): Promise<MadeOf[]> {
  const found = new Map<string, MadeOf>();
  let open = refsOf(inputs);
  while (open.length > 0) {
    const fresh = [...new Map(open.map((ref) => [formatRef(ref), ref])).values()].filter((ref) => !found.has(formatRef(ref)));
    const ancestors = await Promise.all(fresh.map((ref) => ancestorAt(hub, ref)));
    for (const ancestor of ancestors) found.set(formatRef(ancestor.ref), ancestor);
    open = ancestors.flatMap(({ manifest }) => (manifest === undefined ? [] : refsOf(manifest.inputs)));
  }
  return [...found.values()];
}

const refsOf = (inputs: Manifest['inputs']): ArtifactRef[] =>
  Object.values(inputs).map(({ type, name, commit }) => ({ type, name, commit }));

async function ancestorAt(hub: Hub, ref: ArtifactRef): Promise<MadeOf> {
  if ((await hub.resolve({ ...ref, revision: ref.commit })) === undefined)
    return { ref, manifest: undefined, licence: undefined };
  const manifest = await readManifest(hub, ref);
  if (manifest !== undefined) return { ref, manifest, licence: undefined };
  const card = await hub.read(ref, 'README.md');
  return { ref, manifest, licence: card === undefined ? undefined : licenceIn(Buffer.from(card).toString('utf8')) };
}

/** What the YAML head of a card says of the licence. */
function licenceIn(card: string): string | undefined {
  const text = /^\s*---\r?\n(.*?)\r?\n---/s.exec(card)?.[1];
  try {
    return head.safeParse(parse(text ?? '')).data?.license;
  } catch {
    // somebody else's card, which need be no YAML
    return undefined;
  }
}
