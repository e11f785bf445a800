import { formatRef } from '../model/artifact.ts';
import type { Artifact } from '../model/outcome.ts';
import { pinRefs } from '../plan/pin.ts';
import type { Context, Options } from './context.ts';
import { readId } from './read-id.ts';

/** The artifacts named by the options of a stage's inputs, pinned; by the stage that made them. */
export async function givenInputs(context: Context, { inputs = {} }: Options): Promise<Record<string, Artifact>> {
  const refs: (readonly [string, string])[] = [];
  for (const [name, text] of Object.entries(inputs)) {
    const ref = await readId(context.hub, text);
    refs.push([name, ref === undefined ? text : formatRef(ref)]);
  }
  const pins = await pinRefs(
    refs.map(([, ref]) => ref),
    context.hub,
  );
  return Object.fromEntries(refs.map(([name, ref]) => [name, pins.get(ref) as Artifact]));
}
