import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { resolveRef } from '../hub/read-ref.ts';
import { type ArtifactRef, type FloatingRef, formatRef, parseRef, type RepoType } from '../model/artifact.ts';

/** `ORG/NAME@1a2b3c4`, as progress prints it. */
const SHORT_REF = /^[^/@\s]+\/[^/@\s]+@[^\s@]+$/;

/**
 * The reference that a user means: `hf://...`, a Hub address, or `ORG/NAME@COMMIT` as it is printed, of which the Hub knows
 * whether it is a model or a dataset. `undefined` where it is none of these.
 */
export async function readId(hub: Hub, text: string): Promise<FloatingRef | undefined> {
  const ref = parseRef(text);
  if (ref !== undefined || !SHORT_REF.test(text)) return ref;
  const both = (['models', 'datasets'] as const).flatMap((type) => parseRef(`hf://${type}/${text}`) ?? []);
  const found: FloatingRef[] = [];
  for (const one of both) if ((await resolveRef(hub, one)) !== undefined) found.push(one);
  if (found.length < 2) return found[0] ?? both[0];
  throw new ZephyrError(`Cannot read the ID "${text}": there is a model and a dataset of that name on ${hub.name}`, {
    hint: `say which: ${found.map(formatRef).join(' or ')}`,
  });
}

/** The artifact that a user means, at its commit. Throws a `ZephyrError` where the text is no such ID or the Hub has none of it. */
export async function findArtifact(
  hub: Hub,
  text: string,
  types: readonly RepoType[] = ['model', 'dataset'],
): Promise<ArtifactRef> {
  const ref = await readId(hub, text);
  if (ref === undefined || !types.includes(ref.type)) {
    const forms = types.map((type) => `hf://${type}s/ORG/NAME@COMMIT`);
    throw new ZephyrError(`Cannot read the ID "${text}": expected ${forms.join(' or ')}`, {
      hint: 'every stage prints the ID of what it made; zephyr hub ls lists what is there',
    });
  }
  const commit = await resolveRef(hub, ref);
  if (commit !== undefined) return { type: ref.type, name: ref.name, commit };
  throw new ZephyrError(`Cannot find "${text}" on ${hub.name}`, { exit: 'preflight', hint: 'zephyr hub ls lists what is there' });
}

/** A repo that a user names: a reference, an address of the Hub's pages, or the bare name of a model. */
export function refOf(text: string, action: string, hint: string): FloatingRef {
  const ref = parseRef(text) ?? parseRef(`hf://models/${text}`);
  if (ref === undefined)
    throw new ZephyrError(
      `Cannot ${action} "${text}": expected hf://models/ORG/NAME[@REVISION] or hf://datasets/ORG/NAME[@REVISION]`,
      { hint },
    );
  return ref;
}
