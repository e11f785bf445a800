import { formatRef } from '../model/artifact.ts';
import { formatNumber } from '../render/format.ts';
import { newestCheckpoint } from '../runs/run-state.ts';
import type { Context, Options } from './context.ts';
import { newest, pastInWords } from './event-lines.ts';
import { progressOf } from './job-progress.ts';
import { type RunLook, RunWatch } from './look-at-run.ts';
import { printTable } from './output.ts';
import { idsOf, phaseOf, runExit, summary } from './runs-of.ts';
import { setDocument } from './verdict.ts';

/** Lines of the run's log that are shown below the table. */
const LATELY = 5;

/** `zephyr status ID`: where a run stands and how far its job is; the exit status says it too. */
export async function runStatus(context: Context, id: string, options: Options): Promise<number> {
  const look = await new RunWatch(context, id).look();
  const { state, job, driver } = look;
  const exit = runExit(state, look);
  const progress = progressOf(look);
  if (options.json === true) {
    const jobs = { job: job ?? null, driver: driver ?? null };
    setDocument(idsOf(state), { ...summary(state, look), ...jobs, progress: progress ?? null, events: newest(look) });
    return exit;
  }
  process.stdout.write(`${formatRef({ ...state.repo, revision: state.run })}\n${state.stage}  ${phaseOf(state, look)}\n`);
  if (state.failure !== null) process.stdout.write(`  ${state.failure.reason}: ${state.failure.message}\n`);
  process.stdout.write(driverLine(look));
  const steps = Object.entries(state.steps).map(([step, { artifact }]) => [
    step,
    'done',
    artifact === null ? '' : formatRef(artifact.ref),
  ]);
  if (state.job !== null) {
    const saved = newestCheckpoint(state, state.job.step)?.at;
    const checkpoint = `checkpoint ${saved === undefined ? 'none yet' : formatNumber(saved)}`;
    steps.push([
      state.job.step,
      job?.state ?? 'submitting',
      [job !== undefined && 'why' in job ? job.why : '', progress?.text ?? '', checkpoint]
        .filter((part) => part !== '')
        .join(' · '),
    ]);
  }
  if (steps.length > 0)
    await printTable([{ title: 'step' }, { title: 'state' }, { title: 'artifact or progress', cut: 'under' }], steps);
  for (const line of pastInWords(look, LATELY)) process.stdout.write(`${line}\n`);
  return exit;
}

function driverLine({ state, driver }: RunLook): string {
  if (driver === undefined) return '';
  const id = state.driver?.handle?.id;
  const why = 'why' in driver && driver.why !== undefined ? `: ${driver.why}` : '';
  return `  ${id === undefined ? 'a job' : `job ${id}`} in place of a terminal: ${driver.state}${why}\n`;
}
