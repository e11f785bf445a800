import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { type Output, outputAt } from '../hub/output.ts';
import { formatRef, formatRepo, sameRepo } from '../model/artifact.ts';
import type { Artifact } from '../model/outcome.ts';
import type { Step } from '../stages/stage.ts';

/** Every repo that the steps publish in, once, in the order of the steps. */
export async function outputsOf(steps: readonly Step[], hub: Hub): Promise<Output[]> {
  const repos = steps
    .map(({ output }) => output)
    .filter((repo, index, all) => all.findIndex((other) => sameRepo(other, repo)) === index);
  return await Promise.all(
    repos.map(async (repo) => {
      const commit = await hub.resolve({ ...repo, revision: 'main' });
      return commit === undefined ? { repo, holds: 'nothing', others: [] } : await outputAt(hub, { ...repo, commit });
    }),
  );
}

/** Throws a `ZephyrError` (usage) where publishing would replace what zephyr did not make. */
export function refuseOthersFiles(outputs: readonly Output[], hub: Hub): void {
  for (const { repo, holds, others } of outputs) {
    if (holds !== 'other files') continue;
    throw new ZephyrError(
      `Cannot publish in "${formatRepo(repo)}" on ${hub.name}: it holds files that zephyr did not make (${others.join(', ')})`,
      { hint: 'change `name` or `namespace` of the recipe, or move these files to a repo of their own' },
    );
  }
}

/** Throws a `ZephyrError` (usage) where steps read a repo that they publish in: the next run would read what this one made. */
export function refuseOwnInputs(steps: readonly Step[], inputs: Iterable<Artifact>): void {
  for (const { ref } of inputs) {
    // the Hub takes names that differ in case alone for one
    const step = steps.find(({ output }) => output.type === ref.type && output.name.toLowerCase() === ref.name.toLowerCase());
    if (step === undefined) continue;
    throw new ZephyrError(
      `Cannot plan ${step.stage}/${step.name}: it would publish in "${formatRepo(step.output)}", which the recipe reads (${formatRef(ref)})`,
      { hint: 'change `name` or `namespace` of the recipe, so that it reads and writes different repos' },
    );
  }
}
