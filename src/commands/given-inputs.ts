import { formatRef } from '../model/artifact.ts';
import type { Artifact } from '../model/outcome.ts';
import { pinRefs } from '../plan/pin.ts';
import type { StageName } from '../stages/stage.ts';
import type { Context, Options } from './context.ts';
import { readId } from './read-id.ts';

/** The artifacts named by --dsft and --aif, pinned. */
export async function givenInputs(context: Context, options: Options): Promise<Partial<Record<StageName, Artifact>>> {
  const refs: (readonly [StageName, string])[] = [];
  for (const name of ['dsft', 'aif'] as const) {
    const text = options[name];
    if (text === undefined) continue;
    const ref = await readId(context.hub, text);
    refs.push([name, ref === undefined ? text : formatRef(ref)]);
  }
  const pins = await pinRefs(
    refs.map(([, ref]) => ref),
    context.hub,
  );
  return Object.fromEntries(refs.map(([name, ref]) => [name, pins.get(ref) as Artifact]));
}
