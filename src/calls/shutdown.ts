import { isDiskFull, ZephyrError } from '../errors.ts';
import type { ChatFailure, Teacher } from '../teachers/teacher.ts';

/** Says whether calls may still be sent. */
export interface Stop {
  /** Aborted when nothing new may be sent, so that calls stop waiting. */
  readonly signal: AbortSignal;
  /** Throws what stopped the calls, if anything did. */
  check(): void;
  /** What `check` throws. */
  reason(): unknown;
}

/** How a session ends early: nothing new is sent; calls in flight get some time, then they are cut off. */
export class Shutdown implements Stop {
  readonly #soft = new AbortController();
  readonly #hard = new AbortController();
  readonly #outside: AbortSignal;
  readonly #drainMs: number;
  #timer: NodeJS.Timeout | undefined;
  #stopped: { readonly error: unknown } | undefined;

  /** `outside`: the user's signal; `drainMs`: how long calls in flight may take after a stop. */
  constructor(outside: AbortSignal, drainMs: number) {
    this.#outside = outside;
    this.#drainMs = drainMs;
    if (outside.aborted) this.#cancelled();
    outside.addEventListener('abort', this.#cancelled, { once: true });
  }

  get signal(): AbortSignal {
    return this.#soft.signal;
  }

  /** Aborted when calls in flight have had their time, so that their requests end. */
  get hard(): AbortSignal {
    return this.#hard.signal;
  }

  check(): void {
    if (this.#stopped !== undefined) throw this.#stopped.error;
  }

  reason(): unknown {
    return this.#stopped?.error;
  }

  /** Stops the session; returns the error that it stopped with, which is the first. */
  stop(error: unknown): unknown {
    if (this.#stopped === undefined) {
      this.#stopped = { error: isDiskFull(error) ? noSpace(error) : error };
      this.#soft.abort();
      this.#timer = setTimeout(() => this.#hard.abort(new Error('The session was stopped')), this.#drainMs);
      this.#timer.unref();
    }
    return this.#stopped.error;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#outside.removeEventListener('abort', this.#cancelled);
  }

  readonly #cancelled = (): void => {
    this.stop(new ZephyrError('Stopped asking teachers: every answer that arrived is kept', { exit: 'detached' }));
  };
}

/** A call whose answer is not waited for any more: it is not sent. */
export class NotNeeded extends Error {}

/** Stops the calls that are made in advance, without the session. */
export class PrefetchStop implements Stop {
  readonly #controller = new AbortController();
  readonly #shutdown: Shutdown;
  readonly signal: AbortSignal;

  constructor(shutdown: Shutdown) {
    this.#shutdown = shutdown;
    this.signal = AbortSignal.any([shutdown.signal, this.#controller.signal]);
  }

  check(): void {
    this.#shutdown.check();
    if (this.#controller.signal.aborted) throw this.reason();
  }

  reason(): unknown {
    const { aborted } = this.#controller.signal;
    return this.#shutdown.reason() ?? (aborted ? new NotNeeded('Nobody waits for this call') : undefined);
  }

  end(): void {
    this.#controller.abort();
  }
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

/** The window of a batch has ended, and its state is not one of those that are known to be final. */
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

/** The disk holds more than the log: calls that wait for a batch, request files. */
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
