import type { CallOutcome } from './call.ts';
import { type CallPurpose, GaveUp } from './gave-up.ts';
import { GiveUpRule } from './give-up-rule.ts';
import type { Stop } from './shutdown.ts';

/** Calls that are on their way at once before the first of their kind is answered. */
const PROBES = 4;
/** After this many refused for their form, or failed for whatever reason, with none answered, the next ones would be too. */
const MOST_REFUSED = PROBES;
const MOST_FAILED = 16;

/**
 * The calls to one teacher for one purpose: they have parameters and a schema in common, so what a server refuses of one it
 * refuses of all. They are judged by themselves: the successes of others say nothing about them.
 */
class CallKind {
  readonly #asked: CallPurpose;
  readonly #rule = new GiveUpRule();
  readonly #waiting: (() => void)[] = [];
  #onTheWay = 0;
  #isAnswered = false;
  #failed = 0;
  #refused = 0;
  #gaveUp: GaveUp | undefined;

  constructor(asked: CallPurpose) {
    this.#asked = asked;
  }

  /** Sends a call as soon as it may be sent, and reports what became of it. */
  async send(stop: Stop, settle: () => Promise<CallOutcome>): Promise<CallOutcome> {
    await this.#acquire(stop);
    try {
      return this.report(await settle());
    } finally {
      this.#release();
    }
  }

  /** Resolves when a call may be sent: at once, but for a kind of which none is answered yet and some are on their way. */
  async #acquire(stop: Stop): Promise<void> {
    // A refused call counts too, so that no more than PROBES calls are sent if none is answered.
    while (!this.#isAnswered && this.#onTheWay + this.#refused >= PROBES && !stop.signal.aborted && this.#gaveUp === undefined)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    stop.check();
    this.check();
    this.#onTheWay += 1;
  }

  /** Throws (`GaveUp`) when no more of them should be sent. */
  check(): void {
    if (this.#gaveUp !== undefined) throw this.#gaveUp;
  }

  /** The call is not on its way any more: another may go, or all. */
  #release(): void {
    this.#onTheWay -= 1;
    if (this.#isAnswered || this.#gaveUp !== undefined) this.wake();
    else this.#waiting.shift()?.();
  }

  /** Lets all calls that wait look again. */
  wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Takes note of what became of a call; throws as `check` does, if this call shows that no more should be sent. */
  readonly report = (outcome: CallOutcome): CallOutcome => {
    const failures = this.#rule.settled(!outcome.ok);
    if (outcome.ok) {
      this.#isAnswered = true;
      return outcome;
    }
    const { failure } = outcome;
    this.#failed += 1;
    if (failure.kind === 'refused') this.#refused += 1;
    const isGivenUp = !this.#isAnswered && (this.#refused >= MOST_REFUSED || this.#failed >= MOST_FAILED);
    if (!isGivenUp && failures === undefined) return outcome;
    const count = isGivenUp ? `all ${this.#failed} calls` : `${failures} of the last calls`;
    this.#gaveUp ??= new GaveUp(this.#asked, failure, count);
    throw this.#gaveUp;
  };
}

/** The kinds of calls of a session, whose signal says when it stops. */
export class CallKinds {
  readonly #kinds = new Map<string, CallKind>();
  readonly #step: string | undefined;

  constructor(step: string | undefined, signal: AbortSignal) {
    this.#step = step;
    signal.addEventListener('abort', () => this.wake(), { once: true });
  }

  /** Asking once more, or for another round, is for the same purpose. */
  of({ teacher, purpose }: CallPurpose): CallKind {
    const common = purpose.replace(/ once more$|, round \d+$/, '');
    const name = `${teacher} ${common}`;
    const kind = this.#kinds.get(name) ?? new CallKind({ teacher, purpose: common, step: this.#step });
    this.#kinds.set(name, kind);
    return kind;
  }

  /** Calls that wait to be sent look whether they still may. */
  wake(): void {
    for (const kind of this.#kinds.values()) kind.wake();
  }
}
