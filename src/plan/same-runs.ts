import { ZephyrError } from '../errors.ts';
import type { Step } from '../stages/stage.ts';
import { diffRecords } from './why.ts';

/**
 * Throws when a changed recipe would make other runs than the one to be resumed and those that follow it: when it plans
 * other steps, other settings, other inputs or other repos. All else may change, such as a budget, a price or a server.
 */
export function refuseOtherRuns(id: string, before: readonly Step[], after: readonly Step[]): void {
  const difference = diffRecords(identityOf(before), identityOf(after));
  if (difference === undefined) return;
  throw new ZephyrError(`Cannot resume ${id} with a changed recipe: ${difference} makes it another run`, {
    exit: 'conflict',
    hint: 'what changes no result may be changed, such as a budget, a price or a server; for all else run the changed recipe anew, which uses again what is made and paid',
  });
}

/** What the steps of a recipe are and where they go, by their names. */
function identityOf(steps: readonly Step[]): unknown {
  return Object.fromEntries(
    steps.map(({ stage, name, output, inputs, config, files, work }) => {
      const does =
        work.kind === 'job' ? { program: work.program, globalBatch: work.training?.globalBatch ?? null } : { task: work.task };
      return [`${stage}/${name}`, { output, inputs, config, files, work: does }];
    }),
  );
}
