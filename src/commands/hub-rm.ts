import { EXIT, ZephyrError } from '../errors.ts';
import { formatBytes } from '../render/format.ts';
import { askYes, canAsk } from './confirm.ts';
import { type Context, type Options, openQuietContext } from './context.ts';
import { type Doomed, doomedOf, RM_EXAMPLE } from './doomed.ts';

/** `zephyr hub rm REF...`: repos, or single branches and tags; asks before, unless `--yes` is given. */
export async function removeFromHub(texts: readonly string[], options: Options & { readonly yes?: boolean }): Promise<number> {
  if (texts.length === 0) throw new ZephyrError('Cannot delete: no repo', { hint: RM_EXAMPLE });
  await using context = await openQuietContext(options);
  const doomed: Doomed[] = [];
  for (const text of texts) doomed.push(await doomedOf(context, text));
  const all = doomed.map(({ about }) => about).join(', ');
  if (options.yes !== true) await agreeToDelete(all, context);
  for (const { about, remove } of doomed) if (await remove()) process.stderr.write(`deleted ${about}\n`);
  const given = await context.hub.reclaim();
  if (given !== undefined && given.files > 0) {
    const held = given.heldBytes > 0 ? `, ${formatBytes(given.heldBytes)} more are in use outside of the Hub` : '';
    process.stderr.write(`${formatBytes(given.bytes)} were given back${held}\n`);
  }
  return EXIT.done;
}

async function agreeToDelete(all: string, { env, hub, signal }: Context): Promise<void> {
  const answer = canAsk(env) ? await askYes(`${all}: delete this on ${hub.name}? [y/N] `, signal) : 'no';
  if (answer === 'yes') return;
  if (answer === 'interrupted') throw new ZephyrError('Nothing was deleted', { exit: 'detached' });
  throw new ZephyrError(`Nothing is deleted without a yes: ${all}`, {
    exit: 'cancelled',
    hint: 'add --yes to delete without being asked',
  });
}
