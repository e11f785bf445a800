import { listRuns } from '../engine/run-list.ts';
import { EXIT } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import type { Target } from '../recipe/target.ts';
import { newestCheckpoint } from '../runs/run-state.ts';
import { openTargetBackend } from './backend.ts';
import { type Context, type Options, openQuietContext } from './context.ts';
import { findRun } from './find-run.ts';
import { printJson, printTable } from './output.ts';
import { phaseOf, summary } from './runs-of.ts';

/** `zephyr status [ID]`: every run on the Hub, or one of them with its job; 7 while that one still runs. */
export async function status([id]: string[], options: Options): Promise<number> {
  await using context = await openQuietContext(options);
  if (id !== undefined) return await one(context, id, options);
  const runs = await listRuns(context.hub, context.home);
  if (options.json === true) printJson(runs.map((state) => summary(state)));
  else if (runs.length === 0) process.stderr.write(`No runs on ${context.hub.name}\n`);
  else
    printTable(
      [{ title: 'run', cut: 'never' }, { title: 'stage' }, { title: 'phase' }, { title: 'updated' }],
      runs.map((state) => [
        formatRef({ ...state.repo, revision: state.run }),
        state.stage,
        phaseOf(state),
        state.updatedAt.slice(0, 16).replace('T', ' '),
      ]),
    );
  return EXIT.done;
}

async function one(context: Context, id: string, options: Options): Promise<number> {
  const { state } = await findRun(context.hub, id);
  const handle = state.job?.handle;
  const job = handle == null ? undefined : await openTargetBackend(context, state.target as Target).state(handle);
  const steps = Object.entries(state.steps).map(([step, { artifact }]) => [
    step,
    'done',
    artifact === null ? '' : formatRef(artifact.ref),
  ]);
  if (state.job !== null)
    steps.push([
      state.job.step,
      job?.state ?? 'submitting',
      `checkpoint ${newestCheckpoint(state, state.job.step)?.at ?? 'none yet'}`,
    ]);
  if (options.json === true) printJson({ ...summary(state, job), job: job ?? null });
  else {
    process.stdout.write(`${formatRef({ ...state.repo, revision: state.run })}  ${state.stage}  ${phaseOf(state, job)}\n`);
    if (state.failure !== null) process.stdout.write(`  ${state.failure.reason}: ${state.failure.message}\n`);
    if (steps.length > 0) printTable([{ title: 'step' }, { title: 'state' }, { title: 'artifact' }], steps);
  }
  return job?.state === 'running' || phaseOf(state, job) === 'running' ? EXIT.running : EXIT.done;
}
