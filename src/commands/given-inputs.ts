import type { Artifact } from '../model/outcome.ts';
import { pinRefs } from '../plan/pin.ts';
import type { StageName } from '../stages/stage.ts';
import type { Context, Options } from './context.ts';

/** The artifacts named by --dsft and --aif, pinned. */
export async function givenInputs(context: Context, options: Options): Promise<Partial<Record<StageName, Artifact>>> {
  const refs = (['dsft', 'aif'] as const).flatMap((name) =>
    options[name] === undefined ? [] : [[name, options[name]] as const],
  );
  const pins = await pinRefs(
    refs.map(([, ref]) => ref),
    context.hub,
  );
  return Object.fromEntries(refs.map(([name, ref]) => [name, pins.get(ref) as Artifact]));
}
