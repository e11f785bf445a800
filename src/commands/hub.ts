import { EXIT, ZephyrError } from '../errors.ts';
import { formatRepo } from '../model/artifact.ts';
import { isRunId } from '../model/branches.ts';
import { openQuietContext } from './context.ts';
import { importToHub } from './hub-import.ts';
import { pruneHub } from './hub-prune.ts';
import { pullToHub } from './hub-pull.ts';
import { pushFromHub } from './hub-push.ts';
import { removeFromHub } from './hub-rm.ts';
import { serveHub } from './hub-serve.ts';
import { printTable } from './output.ts';
import type { PullOptions } from './pull-one.ts';
import { setDocument } from './verdict.ts';

type HubOptions = PullOptions & { readonly port?: string; readonly to?: string; readonly yes?: boolean };

/** What an action takes at most, where it is not as many as are given. */
const MOST_NAMES: Readonly<Record<string, number>> = { serve: 0, ls: 0, prune: 0, import: 1 };

/** `zephyr hub ACTION ...`: the embedded Hub for notebooks, what it holds, and what goes in and out. */
export async function hub([action, ...names]: string[], options: HubOptions): Promise<number> {
  const most = MOST_NAMES[action ?? ''];
  if (most !== undefined && names.length > most)
    throw new ZephyrError(
      `Cannot do "hub ${action}" with "${names.slice(most).join(' ')}": expected ${most === 0 ? 'no name' : 'one folder'}`,
    );
  if (action === 'serve') return await serveHub(options);
  if (action === 'ls') return await list(options);
  if (action === 'import') return await importToHub(names[0], options);
  if (action === 'pull') return await pullToHub(names, options);
  if (action === 'push') return await pushFromHub(names, options);
  if (action === 'rm') return await removeFromHub(names, options);
  if (action === 'prune') return await pruneHub(options);
  throw new ZephyrError(
    `Cannot do "${action}" with the Hub: expected serve, ls, import FOLDER, pull REF, push REF, rm REF or prune`,
  );
}

async function list(options: HubOptions): Promise<number> {
  await using context = await openQuietContext(options);
  const rows: string[][] = [];
  for (const repo of await context.hub.list()) {
    const refs = await context.hub.refs(repo);
    const main = refs?.branches.main ?? '';
    const runs = Object.keys(refs?.branches ?? {}).filter(isRunId).length;
    rows.push([formatRepo(repo), main, String(runs)]);
  }
  if (options.json === true) setDocument([], { repos: rows.map(([repo, main, runs]) => ({ repo, main, runs: Number(runs) })) });
  else await printTable([{ title: 'repo' }, { title: 'main' }, { title: 'runs', align: 'right' }], rows);
  return EXIT.done;
}
