/** What a command's exit status says; frozen, see the README. */
export const EXIT = {
  done: 0,
  bug: 1,
  usage: 2,
  preflight: 3,
  cancelled: 4,
  jobFailed: 5,
  conflict: 6,
  running: 7,
  planChanged: 10,
  temporary: 75,
  detached: 130,
} as const;

export type ExitName = keyof typeof EXIT;

/**
 * A mistake or a circumstance that the user can act on: one line that says what was done, the value and what was
 * expected, and a hint on its own line. Everything else that is thrown is a bug and keeps its stack.
 */
export class ZephyrError extends Error {
  readonly exit: ExitName;
  readonly hint: string | undefined;

  constructor(message: string, options: { exit?: ExitName; hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ZephyrError';
    this.exit = options.exit ?? 'usage';
    this.hint = options.hint;
  }
}
