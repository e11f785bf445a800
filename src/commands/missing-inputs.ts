import { ZephyrError } from '../errors.ts';
import { formatRef, formatRepo } from '../model/artifact.ts';
import type { Artifact } from '../model/outcome.ts';
import { isRemote, pinRefs, tryPins } from '../plan/pin.ts';
import { askYes, canAsk } from './confirm.ts';
import type { Context } from './context.ts';
import { otherHub, pullOne } from './pull-one.ts';

/**
 * What the references of a recipe mean. On a terminal it is offered to pull what the embedded Hub does not have; else, and
 * without a yes, the error says by which command.
 */
export async function pinsOrPull(refs: Iterable<string>, context: Context): Promise<Map<string, Artifact>> {
  const { hub, env, signal } = context;
  const { pins, absent, missing } = await tryPins(refs, hub);
  if (missing === undefined) return pins;
  if (isRemote(hub) || !canAsk(env)) throw missing;
  process.stderr.write(absent.map((ref) => `${formatRef(ref)} is not on the embedded Hub\n`).join(''));
  const answer = await askYes(`Pull ${absent.length === 1 ? 'it' : 'them'} from ${otherHub(undefined, env)}? [y/N] `, signal);
  if (answer === 'interrupted') throw new ZephyrError('Nothing was pulled, nothing was started', { exit: 'detached' });
  if (answer === 'no') throw missing;
  for (const { type, name, revision } of absent) {
    await pullOne(context, { type, name, revision }, { type, name }, {});
    process.stderr.write(`pulled ${formatRepo({ type, name })}\n`);
  }
  return await pinRefs(refs, hub);
}
