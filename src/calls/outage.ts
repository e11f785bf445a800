import type { ChatFailure } from '../teachers/teacher.ts';
import type { CallRetryPolicy } from './call-retry-policy.ts';

/** How long a server may answer nothing: as the recipe says in `awayMs`, else less where it never has answered. */
export function mostAwayMs(
  { awayMs: seen, unseenMs }: CallRetryPolicy,
  awayMs: number | undefined,
  hasAnswered: boolean,
): number {
  return awayMs ?? (hasAnswered ? seen : Math.min(seen, unseenMs));
}

/** How long a server has answered nothing, by the requests of one dispatcher. Times in milliseconds of the process's steady clock. */
export class Outage {
  #hasAnswered = false;
  #since: number | undefined;
  #failure: ChatFailure | undefined;

  answered(): void {
    this.#hasAnswered = true;
    this.#since = undefined;
  }

  /** Says whether the server has been away for too long. `awayMs`: what the recipe allows, if anything; `sentAt`: when it was asked. */
  failed(failure: ChatFailure, sentAt: number, retryPolicy: CallRetryPolicy, awayMs: number | undefined): boolean {
    this.#failure = failure;
    this.#since ??= sentAt;
    return performance.now() - this.#since >= mostAwayMs(retryPolicy, awayMs, this.#hasAnswered);
  }

  /** Why it is waited for, and for how many seconds it has been. */
  get now(): { readonly why: string; readonly seconds: number } | undefined {
    if (this.#since === undefined || this.#failure === undefined) return undefined;
    return { why: this.#failure.message, seconds: Math.round((performance.now() - this.#since) / 1000) };
  }
}
