import { isDiskFull, ZephyrError } from '../errors.ts';
import type { ChatFailure, Teacher } from '../teachers/teacher.ts';

/** What keeps calls from being sent, once it has come. */
export interface Stop {
  /** Aborted when nothing new may be sent: ends waiting. */
  readonly signal: AbortSignal;
  /** Throws what stopped the calls, if anything did. */
  readonly check: () => void;
  /** What `check` throws. */
  readonly reason: () => unknown;
}

/** How a session ends early: nothing new is sent, what is in flight may come home for a while, then it is cut off. */
export interface Shutdown extends Stop {
  /** Aborted when what is in flight has had its time: ends requests. */
  readonly hard: AbortSignal;
  /** Stops the session; returns the error that it stopped with, which is the first. */
  readonly stop: (error: unknown) => unknown;
  readonly close: () => void;
}

/** `drainMs`: so long calls in flight may take after a stop. */
export function openShutdown(outside: AbortSignal, drainMs: number): Shutdown {
  const soft = new AbortController();
  const hard = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let reason: { readonly error: unknown } | undefined;

  function stop(error: unknown): unknown {
    if (reason === undefined) {
      reason = { error: isDiskFull(error) ? noSpace(error) : error };
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
    reason: () => reason?.error,
    stop,
    close() {
      clearTimeout(timer);
      outside.removeEventListener('abort', cancelled);
    },
  };
}

/** Calls of which nobody waits for the answer any more: they are not sent. */
export class NotNeeded extends Error {}

/** Stops the calls that are made in advance, without the session. */
export function stopBefore(shutdown: Shutdown): Stop & { readonly end: () => void } {
  const controller = new AbortController();
  const reason = () => shutdown.reason() ?? (controller.signal.aborted ? new NotNeeded('Nobody waits for this call') : undefined);
  return {
    signal: AbortSignal.any([shutdown.signal, controller.signal]),
    check() {
      shutdown.check();
      if (controller.signal.aborted) throw reason();
    },
    reason,
    end: () => controller.abort(),
  };
}

/** No server of a teacher is there. It stops the calls to that teacher, not those to others. */
export class ServerAway extends ZephyrError {}

/** No server will answer, whatever is asked: no access, no money, no such model; or none is there. */
export function unanswered(servers: readonly { readonly teacher: Teacher; readonly failure: ChatFailure }[]): ZephyrError {
  const reasons = servers.map(({ teacher, failure }) => `"${teacher.name}": ${failure.message}`).join('; ');
  const ids = servers.flatMap(({ teacher: { id } }) => (id === undefined ? [] : [`teachers.${id}`])).join(' and ');
  const of =
    ids === ''
      ? 'its address, its key, its credit and the name of the model'
      : `address, key, credit and model of ${ids} in the recipe`;
  if (servers.every(({ failure }) => failure.kind === 'stop' || failure.kind === 'quota'))
    return new ZephyrError(`Cannot ask teacher ${reasons}`, {
      exit: 'preflight',
      hint: `check ${of}; every answer that arrived is kept`,
    });
  return new ServerAway(`Cannot reach teacher ${reasons}`, {
    exit: 'temporary',
    hint: `nothing was lost: every answer that arrived is kept${ids === '' ? '' : `; the recipe names it in ${ids}`}`,
  });
}

/** One call needs more tokens than the server admits in a minute: it would wait for ever. */
export function tooLarge(teacher: Teacher, tokens: number, limit: number): ZephyrError {
  return new ZephyrError(
    `Cannot ask teacher "${teacher.name}": a call takes about ${tokens} tokens, expected at most ${limit}, its limit a minute`,
    { exit: 'preflight', hint: "make prompts or replies shorter, or name another server in the teacher's failover list" },
  );
}

/** The time of a batch is up, and its state is none that is known to be the last. */
export function neverOver(teacher: Teacher, batch: string, status: string): ZephyrError {
  return new ZephyrError(
    `Cannot take the answers of batch ${batch} of teacher "${teacher.name}": its window has ended and its status is "${status}", expected completed, failed, expired or cancelled`,
    {
      exit: 'temporary',
      hint: 'every answer that arrived is kept; once it is completed there, or cancelled by you, `zephyr resume` takes its answers and asks the rest',
    },
  );
}

/** A batch may not name a file before the server has processed it. */
export function fileNeverReady(teacher: Teacher, file: string, ms: number): ServerAway {
  const minutes = Math.max(1, Math.round(ms / 60_000));
  return new ServerAway(
    `Cannot create a batch of teacher "${teacher.name}": its file ${file} is not processed after ${minutes} min`,
    { exit: 'temporary', hint: 'nothing was paid for it; `zephyr resume` goes on with the file that is there' },
  );
}

const NO_SPACE = 'no space left on the disk';
const FREE_SOME = 'every answer that arrived is kept; free some space';

/** It is full for what is not the log too: calls that wait for a batch, request files. */
function noSpace(error: unknown): ZephyrError {
  return new ZephyrError(`Stopped asking teachers: ${NO_SPACE}`, { exit: 'temporary', hint: FREE_SOME, cause: error });
}

export function logUnwritable(folder: string, error: unknown): ZephyrError {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  const why = error === undefined || isDiskFull(error) ? NO_SPACE : `${code ?? error}`;
  return new ZephyrError(`Cannot write the call log in "${folder}": ${why}`, {
    exit: 'temporary',
    hint: FREE_SOME,
    cause: error,
  });
}
