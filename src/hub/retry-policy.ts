import { setTimeout as sleep } from 'node:timers/promises';
import pRetry from 'p-retry';
import { ZephyrError } from '../errors.ts';
import { detachedFrom } from './transfer.ts';

/** Waits for a number of milliseconds, or rejects when the signal comes. */
export type Pause = (milliseconds: number, signal?: AbortSignal) => Promise<unknown>;

const realPause: Pause = (milliseconds, signal) => sleep(milliseconds, undefined, signal === undefined ? {} : { signal });

/** Tries of one request: with the waits between them about five minutes. */
const MOST_TRIES = 16;
/** Tries of a request to an address that has not answered this process yet: about half a minute. */
const STRANGER_TRIES = 7;
/** Tries of a request that is answered with a web page: a log-in page does not go away by itself. */
const PORTAL_TRIES = 4;
/** The longest wait that a Hub may ask for, milliseconds. */
const LONGEST_WAIT_MS = 10 * 60_000;
/** All waits of one request together, milliseconds. */
const LONGEST_WAITING_MS = 20 * 60_000;
/** Seconds of waiting at which it is said what is waited for; then every minute. */
const TOLD_AT: readonly number[] = [5, 20, 60];
/** Seconds without an answer after which a request is told as waiting; until then it may merely be slow. */
const HANGS_S = 10;
/** Milliseconds that an exchange with a Hub that answers may take after its caller has stopped it: a commit can still land. */
const GRACE_MS = 3000;
/** The same for a Hub that did not answer the request before. */
const SHORT_GRACE_MS = 1000;

/** Half a second, doubled with each try, at most half a minute, and spread by a fifth so that not all come back at once. */
function backoff(tries: number): number {
  return Math.min(30_000, 500 * 2 ** (tries - 1)) * (0.8 + 0.4 * Math.random());
}

interface AwayOptions {
  /** What the server said of it, for the last message. */
  readonly said?: string | undefined;
  readonly waitMs?: number | undefined;
  /** The try came further than the one before it: tries and waits are counted from here. */
  readonly advanced?: boolean | undefined;
  /** The server says that it has not looked at the request. */
  readonly untouched?: boolean | undefined;
  readonly cause?: unknown;
}

/** A try that failed in a way that may pass: what was met, in a few words, and how long the Hub says to wait. */
export class AwayError extends Error {
  readonly why: string;
  readonly kind: 'answer' | 'no-answer' | 'portal';
  readonly said: string | undefined;
  /** milliseconds */
  readonly waitMs: number | undefined;
  readonly advanced: boolean;
  readonly untouched: boolean;

  constructor(why: string, kind: 'answer' | 'no-answer' | 'portal', more: AwayOptions = {}) {
    super(why, more.cause === undefined ? undefined : { cause: more.cause });
    this.why = why;
    this.kind = kind;
    this.said = more.said;
    this.waitMs = more.waitMs === undefined ? undefined : Math.min(LONGEST_WAIT_MS, more.waitMs);
    this.advanced = more.advanced ?? false;
    this.untouched = more.untouched ?? false;
  }
}

/** The Hub stayed away for as long as the policy waits: no caller tries again after this. */
export class HubAwayError extends ZephyrError {
  /** completes "the Hub at ..." */
  readonly said: string;
  readonly action: string | undefined;

  constructor(url: string, said: string, more: { action?: string; hint?: string | undefined; cause?: unknown }) {
    const { action, hint, cause } = more;
    super(action === undefined ? `The Hub at "${url}" ${said}` : `Cannot ${action}: the Hub at "${url}" ${said}`, {
      exit: 'temporary',
      hint: hint ?? 'look at the network and run the command again; what is done is not done twice',
      cause,
    });
    this.said = said;
    this.action = action;
  }
}

const PORTAL_HINT = 'log in to the network (open any page in a browser) or look at the proxy, then run the command again';

function gaveUp(url: string, away: AwayError, seconds: number): HubAwayError {
  const { why, kind, said } = away;
  const long = seconds >= 1 ? ` for ${duration(seconds)}` : '';
  if (kind === 'portal') return new HubAwayError(url, `answered with ${why}`, { hint: PORTAL_HINT, cause: away });
  const what = kind === 'answer' ? `answered ${why}${long}` : `does not answer${long} (${why})`;
  return new HubAwayError(url, said === undefined ? what : `${what}: ${said}`, { cause: away });
}

interface Insistence {
  readonly isExchange?: boolean;
  readonly signal?: AbortSignal | undefined;
}

interface Trouble {
  since: number;
  tries: number;
  why: string;
  /** how many of the moments in `TOLD_AT` are over */
  told: number;
  spoke: boolean;
}

export interface RetryPolicyOptions {
  readonly url: string;
  readonly pause?: Pause | undefined;
  /** milliseconds that only grow */
  readonly now?: (() => number) | undefined;
  /** Aborted when the user detaches: it stops every request, as the signal of a single one stops that. */
  readonly signal?: AbortSignal | undefined;
  /** Called with what is waited for while the wait lasts, and when it is over. */
  readonly say?: ((message: string) => void) | undefined;
}

export interface Limit {
  /** milliseconds without any progress */
  readonly ms: number;
  /** A transfer of a file ends at once when it is stopped, since it can go on another time; an exchange gets some grace. */
  readonly isTransfer: boolean;
}

/**
 * The one place where requests to a Hub are tried again. Each request is under exactly one `insist`; what that gives up is
 * thrown as a `HubAwayError`, which no caller tries again.
 */
export class RetryPolicy {
  readonly #url: string;
  readonly #pause: Pause;
  readonly #now: () => number;
  readonly #signal: AbortSignal | undefined;
  readonly #say: (message: string) => void;
  readonly #troubles = new Set<Trouble>();
  /** This address has answered once. */
  #known = false;
  /** The last request failed. */
  #ailing = false;

  constructor({ url, pause = realPause, now = () => performance.now(), signal, say = () => {} }: RetryPolicyOptions) {
    this.#url = url;
    this.#pause = pause;
    this.#now = now;
    this.#signal = signal;
    this.#say = say;
  }

  /**
   * Tries until an attempt ends other than with an `AwayError`, or until the policy gives up. `isExchange`: an attempt takes
   * no longer than its answer, so that one which hangs is told as well.
   */
  async insist<T>(attempt: () => Promise<T>, { isExchange = false, signal }: Insistence = {}): Promise<T> {
    const trouble: Trouble = { since: this.#now(), tries: 0, why: '', told: 0, spoke: false };
    const clock = isExchange ? setInterval(() => this.#tell(trouble), 1000).unref() : undefined;
    try {
      const result = await pRetry(attempt, {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 0,
        onFailedAttempt: ({ error }) => this.#wait(trouble, error, this.#stopOf(signal)),
      });
      if (isExchange) [this.#known, this.#ailing] = [true, false];
      if (trouble.spoke) this.#say(`the Hub at ${this.#url} answers again after ${duration(this.#seconds(trouble))}`);
      return result;
    } finally {
      clearInterval(clock);
      this.#troubles.delete(trouble);
    }
  }

  /** Waits for the next try, or throws where there is none. */
  async #wait(trouble: Trouble, error: unknown, stop: AbortSignal | undefined): Promise<void> {
    if (!(error instanceof AwayError)) throw error;
    if (error.kind === 'answer') this.#known = true;
    this.#ailing = true;
    if (error.advanced) Object.assign(trouble, { since: this.#now(), tries: 0, told: 0 });
    trouble.tries += 1;
    trouble.why = error.why;
    if (stop?.aborted === true) throw this.#stopped(stop);
    const wait = error.waitMs ?? backoff(trouble.tries);
    const waited = this.#now() - trouble.since;
    if (trouble.tries >= this.#mostTries(error) || waited + wait > LONGEST_WAITING_MS)
      throw gaveUp(this.#url, error, waited / 1000);
    this.#troubles.add(trouble);
    this.#tell(trouble);
    await this.#pause(wait, stop).catch((thrown: unknown) => {
      throw stop?.aborted === true ? this.#stopped(stop) : thrown;
    });
    this.#tell(trouble);
  }

  #mostTries({ kind }: AwayError): number {
    if (kind === 'portal') return PORTAL_TRIES;
    return this.#known ? MOST_TRIES : STRANGER_TRIES;
  }

  /** Tells the user of the wait, once for all requests that wait, and less and less often. */
  #tell(trouble: Trouble): void {
    const seconds = this.#seconds(trouble);
    const isDue = trouble.why !== '' || seconds >= HANGS_S;
    if (!isDue || seconds < toldAt(trouble.told) || this.#signal?.aborted === true) return;
    while (seconds >= toldAt(trouble.told)) trouble.told += 1;
    this.#troubles.add(trouble);
    this.#ailing = true;
    const [first] = this.#troubles;
    if (first !== trouble) return;
    trouble.spoke = true;
    const why = trouble.why === '' ? 'no answer' : trouble.why;
    this.#say(`waiting for the Hub at ${this.#url}: ${why} for ${duration(seconds)}`);
  }

  #seconds({ since }: Trouble): number {
    return (this.#now() - since) / 1000;
  }

  #stopOf(signal: AbortSignal | undefined): AbortSignal | undefined {
    if (signal === undefined || this.#signal === undefined) return signal ?? this.#signal;
    return AbortSignal.any([signal, this.#signal]);
  }

  #stopped({ reason }: AbortSignal): unknown {
    return reason instanceof Error && reason.name !== 'AbortError' ? reason : detachedFrom(this.#url);
  }

  /**
   * Runs one try with a limit, which `alive` puts off. When the caller stops it, a transfer ends at once; a short exchange,
   * such as the commit that gives a run up, may still end where the Hub answers.
   */
  async limited<T>(
    { ms, isTransfer }: Limit,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal, alive: () => void) => Promise<T>,
  ): Promise<T> {
    const stop = this.#stopOf(signal);
    const own = new AbortController();
    const late = (): void => own.abort(new AwayError('no answer', 'no-answer'));
    const timer = setTimeout(late, ms);
    // a body may still be read when the try is over: a cleared timer stays so, where a new one would keep the process alive
    const alive = (): void => void timer.refresh();
    let grace: NodeJS.Timeout | undefined;
    const end = (): void => own.abort(stop === undefined ? undefined : this.#stopped(stop));
    const endSoon = (): void => {
      const giveUp = (): void => {
        this.#ailing = true;
        end();
      };
      grace = setTimeout(giveUp, this.#ailing ? SHORT_GRACE_MS : GRACE_MS);
    };
    const onStop = isTransfer ? end : endSoon;
    if (stop?.aborted === true) endSoon();
    else stop?.addEventListener('abort', onStop, { once: true });
    try {
      return await work(own.signal, alive);
    } catch (error) {
      // the reason of the abort says more than the abort error
      throw own.signal.aborted ? own.signal.reason : error;
    } finally {
      clearTimeout(timer);
      clearTimeout(grace);
      stop?.removeEventListener('abort', onStop);
    }
  }
}

/** Seconds of waiting at which it is told for the n-th time. */
function toldAt(n: number): number {
  return TOLD_AT[n] ?? 60 * (n - TOLD_AT.length + 2);
}

/** `34 s`, `2 min 5 s` */
function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min${whole % 60 === 0 ? '' : ` ${whole % 60} s`}`;
}
