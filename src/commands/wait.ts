import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { type Options, openContext } from './context.ts';
import { type RunLook, RunWatch } from './look-at-run.ts';
import { idsOf, runExit } from './run-exit.ts';
import { noteIds, noteRun } from './verdict.ts';

/** Seconds between two looks at the Hub and at the job. */
const LOOK_SECONDS = 2;

type WaitOptions = Options & { readonly timeout?: string };

/**
 * `zephyr wait ID`: until the run ends, whoever works on it; then its exit status, and on stdout the artifact's ID as the
 * stage itself would have printed it. Ctrl-C ends the waiting and nothing else.
 */
export async function wait([id]: string[], options: WaitOptions): Promise<number> {
  const seconds = options.timeout === undefined ? Number.POSITIVE_INFINITY : Number(options.timeout);
  if (!(seconds >= 0)) throw new ZephyrError(`Cannot wait for "${options.timeout}" seconds: expected a number from 0`);
  await using context = await openContext(options);
  const watch = new RunWatch(context, id as string);
  const until = performance.now() + seconds * 1000;
  for (;;) {
    const look = await watch.look().catch((error: unknown) => silentHub(error, context.emit));
    if (look !== undefined) {
      const { state, job, events } = look;
      noteRun(state);
      const step = state.job?.step;
      if (step !== undefined) for (const event of events) context.emit({ type: 'job', stage: state.stage, step, event });
      const exit = runExit(state, job);
      if (exit !== EXIT.running) return ended(look, exit, options);
    }
    if (context.signal.aborted) return EXIT.detached;
    if (performance.now() >= until) return EXIT.running;
    await sleep(LOOK_SECONDS * 1000, undefined, { signal: context.signal }).catch(() => undefined);
  }
}

/** A Hub that is away for a while ends no waiting; it has not said that the run is gone. */
export function silentHub(error: unknown, emit: (event: { type: 'warning'; message: string }) => void): undefined {
  if (!(error instanceof ZephyrError) || error.exit !== 'temporary') throw error;
  emit({ type: 'warning', message: `${error.message}; waiting goes on` });
  return undefined;
}

function ended({ state }: RunLook, exit: number, options: Options): number {
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
