import type { StageOutcome } from '../engine/execute.ts';
import { EXIT, type ExitName, ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import type { Failure } from '../model/outcome.ts';
import type { Stage } from '../stages/module.ts';
import type { Context, Options } from './context.ts';
import { printTables } from './stage-tables.ts';

/** The exit status of a failure; see the README. */
const EXIT_OF: Record<Failure['reason'], ExitName> = {
  'job-failed': 'jobFailed',
  'out-of-memory': 'jobFailed',
  interrupted: 'temporary',
  lost: 'temporary',
  'disk-full': 'temporary',
  teacher: 'temporary',
  'bad-data': 'usage',
  'bad-artifact': 'preflight',
  cancelled: 'cancelled',
};

/**
 * One artifact ID a line on stdout, so that `ID=$(zephyr STAGE ...)` works, and on stderr what stages show of themselves; a
 * rehearsal ends in that instead. A failed stage becomes the error of the command.
 */
export async function tellOutcomes(
  { hub, renderer }: Context,
  outcomes: readonly StageOutcome[],
  registry: readonly Stage[],
  options: Options,
): Promise<number> {
  renderer.close();
  const isRehearsal = outcomes.some(({ stage }) => registry.find(({ name }) => name === stage)?.rehearsalOnly === true);
  for (const outcome of outcomes) {
    if (!outcome.ok) throw failureError(outcome.stage, outcome.step, outcome.run, outcome.failure);
    if (options.json !== true && !isRehearsal) process.stdout.write(`${formatRef(outcome.artifact.ref)}\n`);
  }
  if (options.json !== true) await printTables(hub, outcomes, registry, isRehearsal);
  return EXIT.done;
}

function failureError(stage: string, step: string, run: string, failure: Failure): ZephyrError {
  const tail =
    failure.reason === 'job-failed' && failure.logTail.length > 0
      ? `\n${failure.logTail.map((line) => `  | ${line}`).join('\n')}`
      : '';
  return new ZephyrError(`Stage ${stage} stopped in step ${step}: ${failure.message}${tail}`, {
    exit: EXIT_OF[failure.reason],
    hint:
      failure.reason === 'bad-data'
        ? `mend what it names and run the stage again; log: zephyr logs ${run}`
        : `go on with: zephyr resume ${run}; log: zephyr logs ${run}`,
  });
}
