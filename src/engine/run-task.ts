import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ZephyrError } from '../errors.ts';
import { stageInputs } from '../hub/stage-inputs.ts';
import type { Artifact } from '../model/outcome.ts';
import type { Step, TaskResult } from '../stages/stage.ts';
import { isLost, RunCalls } from './call-log.ts';
import type { Engine } from './engine.ts';
import { moveFiles } from './move-files.ts';
import type { StageRun } from './stage-run.ts';
import { LOOK_MS, OwnerWatch } from './watch-run.ts';

/** A step whose work is a task, and the run that it is worked on in. */
export interface StepTask {
  readonly engine: Engine;
  readonly run: StageRun;
  readonly step: Step & { readonly work: { readonly kind: 'task' } };
  readonly inputs: Readonly<Record<string, Artifact>>;
  /** a later step whose calls may be made in advance */
  readonly prefetch: Step | undefined;
  /** milliseconds between two looks at whose the run is */
  readonly lookMs?: number;
}

/** Runs an in-process step in a folder of its own; its call log outlives it, on this disk and on the run branch. */
export async function runTask(asked: StepTask): Promise<{ readonly folder: string; readonly result: TaskResult }> {
  const { engine, run, step, inputs, prefetch, lookMs = LOOK_MS } = asked;
  const task = engine.tasks[step.work.task];
  if (task === undefined) throw new Error(`Cannot run ${step.stage}/${step.name}: there is no task "${step.work.task}"`);
  // opens the teachers first, so that a missing key shows before the user pays for a call
  for (const { teacher } of [...(step.calls ?? []), ...(prefetch?.calls ?? [])]) await engine.teacher(teacher);
  const folder = join(engine.workFolder, run.state.run, step.name);
  await rm(folder, { recursive: true, force: true });
  const out = join(folder, 'out');
  await mkdir(out, { recursive: true });
  const read = Object.fromEntries(Object.entries(inputs).filter(([name]) => step.named?.includes(name) !== true));
  const staged = await moveFiles(engine, step, { direction: 'download', what: 'inputs' }, (transfer) =>
    stageInputs(engine.hub, read, folder, transfer),
  );
  const note = (message: string) => engine.emit({ type: 'note', stage: step.stage, step: step.name, message, lasting: true });
  const callLog = await RunCalls.open(engine, run, step.calls === undefined ? undefined : note);
  const lost = new AbortController();
  /** Once the run is lost, its new owner asks the same teachers, and this process must not. */
  const flush = () =>
    callLog.flush().catch((error: unknown) => {
      if (isLost(error)) lost.abort(error);
      throw error;
    });
  const watching =
    step.calls === undefined ? undefined : new OwnerWatch(run, { everyMs: lookMs, lost: (error) => lost.abort(error), note });
  let result: TaskResult;
  try {
    result = await task({
      step: `${step.stage}/${step.name}`,
      config: step.config,
      inputs: Object.fromEntries(Object.entries(staged).map(([name, path]) => [name, join(folder, path)])),
      artifacts: inputs,
      out,
      files: engine.codeFolder,
      callLog: callLog.folder,
      earlier: callLog.earlier,
      budgetUsd: step.budgetUsd,
      maxUnanswered: step.maxUnanswered,
      prefetch,
      flush,
      flushBound: callLog.bound,
      sure: watching === undefined ? undefined : () => watching.sure(),
      teacher: engine.teacher,
      servers: engine.servers,
      signal: AbortSignal.any([engine.signal, lost.signal]),
      progress: (progress) => engine.emit({ type: 'calls', stage: step.stage, step: step.name, progress }),
      note,
    });
  } catch (error) {
    // the user hears what stopped the task; even if the run was lost, its calls are on the branch
    await flush()
      .then(() => callLog.settle())
      .catch((also: unknown) => {
        if (!isLost(also)) note(`the newest calls are on this disk only: ${also instanceof Error ? also.message : also}`);
      });
    const isDetached = error instanceof ZephyrError ? error.exit === 'detached' : engine.signal.aborted || lost.signal.aborted;
    if (!isDetached) throw error;
    lost.signal.throwIfAborted();
    throw new ZephyrError(`Detached from ${step.stage}/${step.name}; it has stopped, and every answered call is kept`, {
      exit: 'detached',
      cause: error,
    });
  } finally {
    watching?.end();
  }
  await flush();
  callLog.settle();
  return { folder: out, result };
}
