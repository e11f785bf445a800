import { ZephyrError } from '../errors.ts';
import { type FloatingRef, parseRef } from '../model/artifact.ts';

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
