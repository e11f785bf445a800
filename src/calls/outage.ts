import type { ChatFailure } from '../teachers/teacher.ts';
import type { Patience } from './desk.ts';

/** How long a server has answered nothing, by the requests of one desk. Times in milliseconds of the process's steady clock. */
export class Outage {
  #hasAnswered = false;
  #since: number | undefined;
  #failure: ChatFailure | undefined;

  answered(): void {
    this.#hasAnswered = true;
    this.#since = undefined;
  }

  /** Says whether it is over with the patience. `awayMs`: what the recipe allows, if anything; `sentAt`: when it was asked. */
  failed(failure: ChatFailure, sentAt: number, patience: Patience, awayMs: number | undefined): boolean {
    this.#failure = failure;
    this.#since ??= sentAt;
    const { awayMs: seen, unseenMs } = patience;
    return performance.now() - this.#since >= (awayMs ?? (this.#hasAnswered ? seen : Math.min(seen, unseenMs)));
  }

  /** Why it is waited for, and for how many seconds it has been. */
  get now(): { readonly why: string; readonly seconds: number } | undefined {
    if (this.#since === undefined || this.#failure === undefined) return undefined;
    return { why: this.#failure.message, seconds: Math.round((performance.now() - this.#since) / 1000) };
  }
}
