import { ZephyrError } from '../errors.ts';
import type { Teacher } from '../teachers/teacher.ts';

/** How a session ends early: nothing new is sent, what is in flight may come home for a while, then it is cut off. */
export interface Halt {
  /** Aborted when nothing new may be sent: ends waiting. */
  readonly signal: AbortSignal;
  /** Aborted when what is in flight has had its time: ends requests. */
  readonly hard: AbortSignal;
  /** Throws what stopped the session, if anything did. */
  readonly check: () => void;
  /** Stops the session; returns the error that it stopped with, which is the first. */
  readonly stop: (error: unknown) => unknown;
  readonly close: () => void;
}

/** `drainMs`: so long calls in flight may take after a stop. */
export function makeHalt(outside: AbortSignal, drainMs: number): Halt {
  const soft = new AbortController();
  const hard = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let reason: { readonly error: unknown } | undefined;

  function stop(error: unknown): unknown {
    if (reason === undefined) {
      reason = { error };
      soft.abort();
      timer = setTimeout(() => hard.abort(new Error('The session was stopped')), drainMs);
      timer.unref();
    }
    return reason.error;
  }
  function cancelled(): void {
    stop(new ZephyrError('Stopped asking teachers: every answer that arrived is kept', { exit: 'detached' }));
  }
  if (outside.aborted) cancelled();
  outside.addEventListener('abort', cancelled, { once: true });

  return {
    signal: soft.signal,
    hard: hard.signal,
    check() {
      if (reason !== undefined) throw reason.error;
    },
    stop,
    close() {
      clearTimeout(timer);
      outside.removeEventListener('abort', cancelled);
    },
  };
}

/** The teacher will not answer, whatever is asked: no access, no money, no such model. */
export function refused(teacher: Teacher, message: string): ZephyrError {
  return new ZephyrError(`Cannot ask teacher "${teacher.name}": ${message}`, {
    exit: 'preflight',
    hint: 'check its key, its credit and the name of the model; every answer that arrived is kept',
  });
}

export function outOfReach(teacher: Teacher, message: string): ZephyrError {
  return new ZephyrError(`Cannot reach teacher "${teacher.name}": ${message}`, {
    exit: 'temporary',
    hint: 'nothing was lost: every answer that arrived is kept',
  });
}

export function diskFull(folder: string, error: unknown): ZephyrError {
  return new ZephyrError(`Cannot write the call log in "${folder}": no space left on the disk`, {
    exit: 'temporary',
    hint: 'every answer that arrived is kept; free some space',
    cause: error,
  });
}
