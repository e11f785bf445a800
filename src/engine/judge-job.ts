import { JOB_EXIT, type JobResult, type JobState } from '../model/job.ts';
import type { Failure } from '../model/outcome.ts';

/** What is known of a job that has ended. */
export interface EndedJob {
  readonly state: JobState;
  readonly result: JobResult | undefined;
  readonly logTail: readonly string[];
  /** what the program said before it left, if it said so */
  readonly said: string | undefined;
}

export type JobVerdict =
  | { readonly ok: true; readonly result: JobResult }
  | { readonly ok: false; readonly failure: Failure; readonly preempted?: true };

/** Success is proved by result.json and the last step, never by the exit code alone. */
export function judgeJob({ state, result, logTail, said }: EndedJob): JobVerdict {
  const isWhole = result !== undefined && result.global_step === result.max_steps;
  // a scheduler may have forgotten a job that has left its proof
  if (isWhole && (state.state === 'absent' || (state.state === 'exited' && state.code === 0))) return { ok: true, result };
  if (state.state !== 'exited') return failed({ reason: 'lost', message: 'the backend does not know the job any more' });
  if (state.preempted)
    return { ...failed({ reason: 'interrupted', message: 'the job lost its place to another one' }), preempted: true };
  if (state.outOfMemory && state.code !== 0)
    return failed({ reason: 'out-of-memory', message: 'the job took more memory than it may' });
  return failed(failureOf(state.code, said, logTail));
}

/** What the exit code of a program says that did not prove its success. */
function failureOf(code: number, said: string | undefined, logTail: readonly string[]): Failure {
  if (code === 0) return { reason: 'job-failed', code, message: 'the program ended without its last step', logTail };
  if (code === JOB_EXIT.interrupted) return { reason: 'interrupted', message: 'the job was stopped and saved its state' };
  if (code === JOB_EXIT.noDisk) return { reason: 'disk-full', message: said ?? 'the job could not write its files' };
  if (code >= JOB_EXIT.configOrData.from && code <= JOB_EXIT.configOrData.to)
    return { reason: 'bad-data', message: said ?? `the program refused its input (exit ${code})` };
  if (code > 128) return { reason: 'interrupted', message: `the job was killed by signal ${code - 128}` };
  return { reason: 'job-failed', code, message: said ?? `the program ended with exit code ${code}`, logTail };
}

function failed(failure: Failure): JobVerdict & { ok: false } {
  return { ok: false, failure };
}
