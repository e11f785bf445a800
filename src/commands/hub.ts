import { basename } from 'node:path';
import { EXIT, ZephyrError } from '../errors.ts';
import { importFolder } from '../hub/import-folder.ts';
import { formatRef, formatRepo, parseRef } from '../model/artifact.ts';
import { type Options, openQuietContext } from './context.ts';
import { pruneHub } from './hub-prune.ts';
import { serveHub } from './hub-serve.ts';
import { printTable } from './output.ts';
import { printDocument } from './verdict.ts';

type HubOptions = Options & { readonly port?: string; readonly as?: string; readonly yes?: boolean };

/** `zephyr hub serve | ls | import FOLDER | prune`: the embedded Hub for notebooks, and what it holds. */
export async function hub([action, folder]: string[], options: HubOptions): Promise<number> {
  if (action === 'serve') return await serveHub(options);
  if (action === 'ls') return await list(options);
  if (action === 'import') return await take(folder, options);
  if (action === 'prune') return await pruneHub(options);
  throw new ZephyrError(`Cannot do "${action}" with the Hub: expected serve, ls, import FOLDER or prune`);
}

async function list(options: HubOptions): Promise<number> {
  await using context = await openQuietContext(options);
  const rows: string[][] = [];
  for (const repo of await context.hub.list()) {
    const refs = await context.hub.refs(repo);
    const main = refs?.branches.main ?? '';
    const runs = Object.keys(refs?.branches ?? {}).filter((name) => name.startsWith('run-')).length;
    rows.push([formatRepo(repo), main, String(runs)]);
  }
  if (options.json === true)
    printDocument(EXIT.done, [], { repos: rows.map(([repo, main, runs]) => ({ repo, main, runs: Number(runs) })) });
  else printTable([{ title: 'repo' }, { title: 'main' }, { title: 'runs', align: 'right' }], rows);
  return EXIT.done;
}

async function take(folder: string | undefined, options: HubOptions): Promise<number> {
  const repo = parseRef(options.as ?? '');
  if (folder === undefined || repo === undefined) {
    throw new ZephyrError(`Cannot import${folder === undefined ? ': no folder' : ` "${folder}": no repo to import into`}`, {
      hint: 'zephyr hub import ./Mistral-7B-v0.1 --as hf://models/mistralai/Mistral-7B-v0.1',
    });
  }
  await using context = await openQuietContext(options);
  const ref = await importFolder(context.hub, folder, { type: repo.type, name: repo.name }, `Import ${basename(folder)}`);
  process.stdout.write(`${formatRef(ref)}\n`);
  return EXIT.done;
}
