import { EXIT, ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import type { Emit } from '../model/event.ts';
import type { RunState } from '../runs/run-state.ts';
import type { Options } from './context.ts';
import { DeadlineError } from './interrupt.ts';
import { idsOf } from './runs-of.ts';
import { noteIds } from './verdict.ts';

/** A Hub that is away for a while ends no waiting before its deadline; it has not said that the run is gone. */
export function silentHub(error: unknown, emit: Emit, signal?: AbortSignal): undefined {
  if (error instanceof DeadlineError) {
    emit({ type: 'warning', message: 'The Hub did not answer in time: how the run stands is not known' });
    return undefined;
  }
  if (!(error instanceof ZephyrError) || error.exit !== 'temporary') throw error;
  emit({ type: 'warning', message: signal?.aborted === true ? error.message : `${error.message}; waiting goes on` });
  return undefined;
}

/** Says how a run ended: its artifact on stdout, or why there is none as the error of the command. */
export function runEnded(state: RunState, exit: number, options: Options): number {
  const id = formatRef({ ...state.repo, revision: state.run });
  if (exit === EXIT.done) {
    const artifact = Object.values(state.steps).at(-1)?.artifact;
    if (artifact != null)
      noteIds({ type: 'stage-done', stage: state.stage, run: id, artifact: artifact.ref, reused: true, seconds: 0 });
    if (options.json !== true) process.stdout.write(`${idsOf(state)[0]}\n`);
    return exit;
  }
  if (exit === EXIT.cancelled)
    throw new ZephyrError(`Run ${id} was cancelled`, { exit: 'cancelled', hint: `go on with: zephyr resume ${id}` });
  if (exit === EXIT.temporary)
    throw new ZephyrError(`Nothing works on run ${id} any more: its zephyr and its job are gone`, {
      exit: 'temporary',
      hint: `go on with: zephyr resume ${id}`,
    });
  throw new ZephyrError(`Run ${id} failed: ${state.failure?.message ?? 'no reason is written down'}`, {
    exit: 'jobFailed',
    hint: `log: zephyr logs ${id}; go on with: zephyr resume ${id}`,
  });
}
