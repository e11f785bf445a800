import { EXIT, ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { formatBytes } from '../render/format.ts';
import { type Options, openQuietContext } from './context.ts';
import { setDocument } from './verdict.ts';

/** `zephyr hub prune`: what large files nothing holds any more, and what killed uploads left; with `--yes` it is deleted. */
export async function pruneHub(options: Options & { readonly yes?: boolean }): Promise<number> {
  await using context = await openQuietContext(options);
  const isLook = options.yes !== true;
  const found = await context.hub.prune({ dry: isLook });
  if (found === undefined) throw new ZephyrError(`Cannot prune "${context.hub.name}": a Hub over HTTP keeps its own house`);
  if (options.json === true) setDocument([], { ...found, deleted: !isLook });
  else tell(found, isLook);
  return EXIT.done;
}

function tell({ files, bytes, heldBytes, unfinished }: NonNullable<Awaited<ReturnType<Hub['prune']>>>, isLook: boolean): void {
  const told = (count: number, noun: string, more = '') =>
    `${isLook ? '' : 'deleted '}${count} ${noun}${count === 1 ? '' : 's'}${more}`;
  process.stdout.write(`${told(files, 'large file', ' that no branch and no tag leads to')}: ${formatBytes(bytes)}\n`);
  if (heldBytes > 0)
    process.stdout.write(
      `${formatBytes(heldBytes)} more are in use outside of the Hub (job folders, caches, what was imported)\n`,
    );
  if (unfinished.files > 0)
    process.stdout.write(`${told(unfinished.files, 'unfinished transfer')}: ${formatBytes(unfinished.bytes)}\n`);
  if (isLook && files + unfinished.files > 0) process.stderr.write('delete them with: zephyr hub prune --yes\n');
}
