import { type ListedRun, listRuns } from '../engine/run-list.ts';
import { EXIT, ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { type Context, type Options, openQuietContext } from './context.ts';
import { printTable } from './output.ts';
import { idsOf, phaseOf, summary } from './runs-of.ts';
import { setDocument } from './verdict.ts';

type StatusOptions = Options & {
  readonly stage?: string;
  readonly phase?: string;
  readonly repo?: string;
  readonly limit?: string;
  readonly clean?: boolean;
  readonly yes?: boolean;
};

/** `zephyr status [ID]`: the runs on the Hub, newest first; or one of them, with an exit status that says where it stands. */
export async function status([id]: string[], options: StatusOptions): Promise<number> {
  await using context = await openQuietContext(options);
  if (id !== undefined) return await (await import('./run-status.ts')).runStatus(context, id, options);
  const runs = await chosen(context, options);
  if (options.clean === true) return await (await import('./clean.ts')).clean(context, runs, options);
  if (options.json === true) setDocument(runs.flatMap(idsOf), { runs: runs.map((state) => summary(state)) });
  else if (runs.length === 0) process.stderr.write(`No ${isFiltered(options) ? 'such ' : ''}runs on ${context.hub.name}\n`);
  else
    await printTable(
      [{ title: 'run' }, { title: 'stage' }, { title: 'phase' }, { title: 'updated' }],
      runs.map((state) => [
        formatRef({ ...state.repo, revision: state.run }),
        state.stage,
        phaseOf(state),
        state.updatedAt.slice(0, 16).replace('T', ' '),
      ]),
    );
  return EXIT.done;
}

function isFiltered({ stage, phase, repo }: StatusOptions): boolean {
  return stage !== undefined || phase !== undefined || repo !== undefined;
}

async function chosen(context: Context, { stage, phase, repo, limit }: StatusOptions): Promise<ListedRun[]> {
  const most = limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
  if (!(most > 0) || (limit !== undefined && !Number.isInteger(most)))
    throw new ZephyrError(`Cannot list "${limit}" runs: expected a whole number from 1`);
  return (await listRuns(context.hub, context.home))
    .filter((state) => repo === undefined || state.repo.name.includes(repo))
    .filter((state) => (stage === undefined || state.stage === stage) && (phase === undefined || phaseOf(state) === phase))
    .slice(0, most);
}
