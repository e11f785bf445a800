import { parse } from 'yaml';
import * as z from 'zod';
import { type Ancestor, ancestry } from '../hub/ancestry.ts';
import type { Hub } from '../hub/hub.ts';
import type { Manifest } from '../model/manifest.ts';

/** Something that an artifact was made of, directly or by way of others. */
export interface MadeOf extends Omit<Ancestor, 'isHere'> {
  /** as its card says it, of what zephyr did not make; undefined where the card says none */
  readonly licence: string | undefined;
}

const head = z.looseObject({ license: z.union([z.string(), z.array(z.string()).transform((all) => all.join(', '))]) });

/** All that an artifact was made of, the nearest first. What the Hub does not have (any more) is named nevertheless. */
export async function lineageOf(hub: Hub, { inputs }: Pick<Manifest, 'inputs'>): Promise<MadeOf[]> {
  const ancestors = await ancestry(hub, Object.values(inputs));
  return await Promise.all(
    ancestors.map(async (ancestor) => {
      const { ref, manifest } = ancestor;
      return { ref, manifest, licence: await licenceOf(hub, ancestor) };
    }),
  );
}

async function licenceOf(hub: Hub, { ref, isHere, manifest }: Ancestor): Promise<string | undefined> {
  if (!isHere || manifest !== undefined) return undefined;
  const card = await hub.read(ref, 'README.md');
  return card === undefined ? undefined : licenceIn(Buffer.from(card).toString('utf8'));
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
