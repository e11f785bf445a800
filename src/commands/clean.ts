import { join } from 'node:path';
import { leftoversOf } from '../engine/leftovers.ts';
import type { ListedRun } from '../engine/run-list.ts';
import { EXIT } from '../errors.ts';
import type { Target } from '../recipe/target.ts';
import { formatBytes } from '../render/format.ts';
import { openTargetBackend } from './backend.ts';
import type { Context } from './context.ts';
import { printTable } from './output.ts';
import { hubOption } from './same-hub.ts';
import { setDocument } from './verdict.ts';

/** `zephyr status --clean`: what ended runs have left; with `--yes` it is deleted. */
export async function clean(
  context: Context,
  runs: readonly ListedRun[],
  options: { readonly json?: boolean; readonly yes?: boolean },
): Promise<number> {
  const { hub, home } = context;
  const workspaceOf = async ({ target }: ListedRun) => (await openTargetBackend(context, target as Target)).workspace;
  const { items, kept } = await leftoversOf({ hub, workFolder: join(home, 'jobs') }, runs, workspaceOf);
  const deleted = options.yes === true;
  if (deleted) for (const { remove } of items) await remove();
  if (deleted) await hub.reclaim();
  if (options.json === true) {
    const left = items.map(({ id, what, bytes }) => ({ id, what, bytes }));
    setDocument([], { items: left, keptForCalls: kept, deleted });
    return EXIT.done;
  }
  const rows = items.map(({ id, what, bytes }) => [id, what, bytes === 0 ? '' : formatBytes(bytes)]);
  if (rows.length > 0) await printTable([{ title: 'run' }, { title: deleted ? 'deleted' : 'would go' }, { title: 'size' }], rows);
  if (items.length === 0) process.stderr.write('nothing to clean\n');
  else if (!deleted) process.stderr.write(`delete them with: zephyr status --clean --yes${hubOption()}\n`);
  if (kept > 0) process.stderr.write(`branches that stay for their paid calls, which later runs use: ${kept}\n`);
  return EXIT.done;
}
