import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isEarlierBoot } from '../base/host-id.ts';
import type { JobSite, JobState } from '../model/job.ts';
import type { NodeHardware } from './scheduler.ts';

/** What a process of this machine may use. */
export function thisNode(): NodeHardware {
  return { device: existsSync('/dev/nvidiactl') ? 'cuda' : 'cpu', cores: availableParallelism() };
}

/**
 * Whether a job of one machine can be seen from `from`: a process and a container are known to their own machine alone. What
 * ran there before it was started again is seen too, since nothing of it can be left.
 */
export function seenFrom(from: JobSite, job: JobSite): true | { readonly why: string } {
  const isHere = job.host === from.host || isEarlierBoot(job.host, from.host);
  if (job.backend === from.backend && isHere) return true;
  return { why: `its job runs on ${job.host} through ${job.backend}` };
}

/** What a machine says of a job that it cannot see. */
export function outOfSight({ host }: JobSite): JobState {
  return { state: 'unknown', why: `the job runs on "${host.split('/')[0]}", which cannot be seen from here` };
}
