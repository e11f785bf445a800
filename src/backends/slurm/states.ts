import { isOwnExit, JOB_EXIT, type JobHandle, type JobState } from '../../model/job.ts';
import type { AttemptFiles } from './attempt-files.ts';
import type { QueuedJob } from './queue.ts';
import { reasonInWords } from './reasons.ts';

type Exited = Extract<JobState, { state: 'exited' }>;

const WAITING = new Set(['PENDING', 'REQUEUED', 'REQUEUE_HOLD', 'REQUEUE_FED', 'RESV_DEL_HOLD', 'SPECIAL_EXIT']);
const STARTING = new Set(['CONFIGURING', 'POWER_UP_NODE']);
const ENDED = new Set([
  ...['COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT', 'DEADLINE', 'PREEMPTED', 'NODE_FAIL', 'BOOT_FAIL'],
  ...['OUT_OF_MEMORY', 'REVOKED', 'LAUNCH_FAILED', 'RECONFIG_FAIL'],
]);

/** Whether Slurm still has something to do for the job; what it may call a job one day counts as that too. */
export const isLive = ({ state }: QueuedJob): boolean => !ENDED.has(state);

/** Its program said itself how it ended, and nothing that Slurm knows could add to that. */
export function isFinal({ exit, cancelled }: AttemptFiles): boolean {
  return exit !== undefined && (cancelled || (isOwnExit(exit.code) && exit.code !== JOB_EXIT.interrupted));
}

/** How a job is that Slurm still has; `files` were read before Slurm was asked. */
export function liveState(job: QueuedJob, files: AttemptFiles): JobState {
  const begun = files.claim !== undefined;
  // the controller was asked after the claim was seen, so it has put the job back
  if (files.requeued || (begun && WAITING.has(job.state))) return lost(files, 'Slurm put the job back into its queue');
  if (WAITING.has(job.state)) return { state: 'queued', ...reasonInWords(job.reason) };
  if (STARTING.has(job.state)) return { state: 'starting', why: `${job.nodes || 'its node'} is being made ready` };
  return begun ? { state: 'running' } : { state: 'starting' };
}

/** How the job is that runs zephyr itself: Slurm may put it back and start it again, and that is as it should be. */
export function driverStateOf(job: QueuedJob | undefined, { exit, claim, cancelled }: AttemptFiles): JobState {
  if (job !== undefined && isLive(job)) {
    if (WAITING.has(job.state)) return { state: 'queued', ...reasonInWords(job.reason) };
    return claim === undefined ? { state: 'starting' } : { state: 'running' };
  }
  if (exit !== undefined) return { state: 'exited', ...exit };
  return claim === undefined || claim === 'fenced' || cancelled ? { state: 'absent' } : { state: 'exited', ...KILLED };
}

/** How a job ended that Slurm has no work for any more, or has forgotten; `files` were read after Slurm was asked. */
export function endedState(job: QueuedJob | undefined, files: AttemptFiles, folder: string): JobState {
  const { exit, claim, cancelled } = files;
  if (exit !== undefined && cancelled) return { state: 'exited', ...exit };
  if (files.requeued) return lost(files, 'Slurm put the job back into its queue');
  if (exit === undefined && (claim === 'fenced' || (claim === undefined && (job === undefined || cancelled))))
    return { state: 'absent' };
  const spoke = exit !== undefined && isOwnExit(exit.code) && exit.code !== JOB_EXIT.interrupted;
  if (spoke || cancelled) return { state: 'exited', ...(exit ?? KILLED) };
  return job === undefined ? byFiles(files) : byState(job, files, folder);
}

/** The supervisor went without a word: it and the program were killed outright. */
const KILLED = { code: 137, outOfMemory: false };

function byState(job: QueuedJob, files: AttemptFiles, folder: string): Exited {
  const { exit = KILLED, claim } = files;
  const ended = { state: 'exited', ...exit } as const;
  switch (job.state) {
    case 'NODE_FAIL':
    case 'BOOT_FAIL':
      return lost(files, `a node of the job failed (${job.nodes})`);
    case 'PREEMPTED':
      return lost(files, PLACE_LOST);
    case 'TIMEOUT':
    case 'DEADLINE':
      return { ...ended, cut: 'time-limit', why: TIME_LIMIT };
    case 'OUT_OF_MEMORY':
      return { ...ended, outOfMemory: true };
    case 'CANCELLED':
      // zephyr itself has taken back a job that it gave up
      if (files.silentSeconds !== undefined) return byFiles(files);
      return { ...ended, cut: 'cancelled', why: `job ${job.id} was cancelled in Slurm, and not by zephyr` };
    default:
      if (claim === undefined) return { ...ended, code: 1, why: neverBegan(job, folder) };
      return byFiles(files);
  }
}

/** Of a job that ended by itself, or of which Slurm knows nothing any more. */
function byFiles(files: AttemptFiles): Exited {
  const { exit = KILLED, timeIsUp, takenBack, silentSeconds } = files;
  if (timeIsUp) return { state: 'exited', ...exit, cut: 'time-limit', why: TIME_LIMIT };
  if (takenBack && exit.code === JOB_EXIT.interrupted) return lost(files, PLACE_LOST);
  return { state: 'exited', ...exit, ...(silentSeconds === undefined || files.exit?.why ? {} : { why: noSign(silentSeconds) }) };
}

function noSign(seconds: number): string {
  return `its supervisor gave no sign of life for ${seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`}`;
}

const TIME_LIMIT = 'the time limit of the job was over';
const PLACE_LOST = 'the job lost its place to another one';

function neverBegan({ id, nodes }: QueuedJob, folder: string): string {
  return `job ${id} ended on ${nodes || 'its node'} before it could write in "${folder}": is that folder there on the nodes?`;
}

function lost({ exit = KILLED, cancelled }: AttemptFiles, why: string): Exited {
  const ended = { state: 'exited', ...exit } as const;
  return cancelled ? ended : { ...ended, preempted: true, why };
}

/** The job that counts: of two that were accepted under one name, the one that has begun. */
export function jobOf(handle: JobHandle, { claim }: AttemptFiles): string {
  return claim === undefined || claim === 'fenced' ? handle.id : claim.id;
}
