import type { JobLabels } from './job.ts';

const JOB_BRANCH = /^job-([0-9a-z]{26})-(.+-e(\d+))$/;

/** The branch of a job that reads and writes on a Hub: in the output repo of its run, of this attempt alone. */
export function jobBranch({ run, step, epoch }: Omit<JobLabels, 'stage'>): string {
  return `job-${run.slice('run-'.length)}-${step}-e${epoch}`;
}

/** What the name of such a branch says; undefined of any other branch. */
export function parseJobBranch(
  branch: string,
): { readonly run: string; readonly name: string; readonly epoch: number } | undefined {
  const [, ulid, name, epoch] = JOB_BRANCH.exec(branch) ?? [];
  return ulid === undefined || name === undefined ? undefined : { run: `run-${ulid}`, name, epoch: Number(epoch) };
}

/** `run-<ulid>`: the name of a run, and of the branch that holds its state. */
const RUN_ID = /^run-[0-9a-z]{26}$/;

export function isRunId(text: string): boolean {
  return RUN_ID.test(text);
}
