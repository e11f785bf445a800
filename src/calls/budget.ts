import { ZephyrError } from '../errors.ts';
import type { Teacher } from '../teachers/teacher.ts';
import type { Totals } from './known-calls.ts';
import { FULL_TRUST, type Trust } from './trust.ts';

/** Dollars set aside for a call, from before its intent is written until its outcome is. */
export interface Claim {
  /** dollars */
  readonly usd: number;
  /** The intent is in the log, which counts it from here on. */
  logged(): void;
  /** The call has come back and cost so much, which the log does not know yet. */
  costs(usd: number): void;
  /** The outcome is in the log, or the call was not sent after all. */
  settled(): void;
}

/** A hard cap on what a run spends: what is paid, what may have been billed and what is on its way, each at its most, never exceed it. */
export interface Budget {
  readonly capUsd: number | undefined;
  /** Throws (usage) when there is a cap and this teacher has no price. */
  accept(teacher: Teacher): void;
  /**
   * Sets aside what a call may cost at most, which is asked for when it is its turn: others may have shown by then that it
   * is more. Waits while calls on their way may turn out cheaper than that, and while `trust` is full; throws (preflight)
   * when nothing more fits under the cap.
   */
  claim(most: () => number, trust?: Trust): Promise<Claim>;
}

export interface BudgetOptions {
  readonly capUsd: number | undefined;
  /** of the run's own log */
  readonly totals: Pick<Totals, 'done' | 'costUsd' | 'unknownUsd' | 'lostUsd'>;
  /** Calls that are left to do, if anybody knows. */
  readonly left: () => number | undefined;
}

/** Sums of dollars are off in the last digits. */
const ROUNDING = 1e-9;

export function makeBudget(options: BudgetOptions): Budget {
  const { capUsd } = options;
  const cap = capUsd === undefined ? undefined : new Cap(capUsd, options);
  return {
    capUsd,
    accept({ name, price }) {
      if (capUsd === undefined || price !== undefined) return;
      throw new ZephyrError(`Cannot keep to the budget of ${dollars(capUsd)}: teacher "${name}" has no price`, {
        exit: 'usage',
        hint: 'give it a price in the recipe: teachers.NAME.price, dollars per million tokens',
      });
    },
    claim: (most, trust = FULL_TRUST) => Promise.resolve(cap === undefined ? freeClaim(most()) : cap.claim(most, trust)),
  };
}

function freeClaim(usd: number): Claim {
  return { usd, logged: () => undefined, costs: () => undefined, settled: () => undefined };
}

interface ClaimRequest {
  readonly most: () => number;
  readonly resolve: (claim: Claim) => void;
  readonly reject: (error: unknown) => void;
}

class Cap {
  readonly #capUsd: number;
  readonly #totals: BudgetOptions['totals'];
  readonly #left: BudgetOptions['left'];
  /** Claims whose intent is not in the log yet, dollars and number; claims without an outcome. */
  #unlogged = 0;
  #unloggedCount = 0;
  #open = 0;
  /** What calls that have come back cost above their claim, as long as the log has only that. */
  #above = 0;
  /** Those who wait, by their trust: one kind of calls that has to wait for its bills does not hold up the others. */
  readonly #waiting = new Map<Trust, ClaimRequest[]>();

  constructor(capUsd: number, { totals, left }: BudgetOptions) {
    this.#capUsd = capUsd;
    this.#totals = totals;
    this.#left = left;
  }

  claim(most: () => number, trust: Trust): Promise<Claim> {
    return new Promise((resolve, reject) => {
      const queue = this.#waiting.get(trust) ?? [];
      this.#waiting.set(trust, queue);
      queue.push({ most, resolve, reject });
      if (queue.length === 1) this.#admitAll();
    });
  }

  /** Lets in whoever may go, kind by kind; who waits for dollars to come back holds up all that came later. */
  #admitAll(): void {
    for (const [trust, queue] of this.#waiting) {
      const isShort = this.#admit(trust, queue);
      if (queue.length === 0) this.#waiting.delete(trust);
      if (isShort) return;
    }
  }

  /** Whether the first that stays does so for want of dollars. */
  #admit(trust: Trust, queue: ClaimRequest[]): boolean {
    let taken = 0;
    let isShort = false;
    for (const { most, resolve, reject } of queue) {
      const usd = most();
      // What costs nothing shows nothing.
      if (usd > 0 && trust.isFull) break;
      isShort = !this.#fits(usd) && this.#open > 0;
      if (isShort) break;
      if (this.#fits(usd)) resolve(this.#take(usd, trust));
      else reject(this.#reached(usd));
      taken += 1;
    }
    queue.splice(0, taken);
    return isShort;
  }

  #spent(): number {
    const { costUsd, unknownUsd, lostUsd } = this.#totals;
    return costUsd + unknownUsd + lostUsd;
  }

  #fits(usd: number): boolean {
    return this.#spent() + this.#unlogged + this.#above + usd <= this.#capUsd + ROUNDING;
  }

  #take(usd: number, trust: Trust): Claim {
    let state: 'claimed' | 'logged' | 'settled' = 'claimed';
    let difference = 0;
    this.#unlogged += usd;
    this.#unloggedCount += 1;
    this.#open += 1;
    trust.open += 1;
    const logged = (): void => {
      if (state !== 'claimed') return;
      state = 'logged';
      this.#unloggedCount -= 1;
      this.#unlogged = this.#unloggedCount === 0 ? 0 : this.#unlogged - usd;
    };
    return {
      usd,
      logged,
      costs: (actual) => {
        difference = Math.max(0, actual - usd);
        this.#above += difference;
      },
      settled: () => {
        if (state === 'settled') return;
        logged();
        state = 'settled';
        this.#open -= 1;
        trust.open -= 1;
        this.#above = this.#open === 0 ? 0 : this.#above - difference;
        this.#admitAll();
      },
    };
  }

  #reached(usd: number): ZephyrError {
    const { done, costUsd, unknownUsd, lostUsd } = this.#totals;
    const calls = this.#left();
    const each = done > 0 ? costUsd / done : usd;
    const rest = calls === undefined ? '' : `; about ${calls} calls for ${dollars(calls * each)} are left`;
    const doubt = unknownUsd + lostUsd;
    const perhaps = doubt === 0 ? '' : `, of which ${dollars(doubt)} perhaps,`;
    return new ZephyrError(
      `Stopped at the budget: spent ${dollars(this.#spent())}${perhaps} of ${dollars(this.#capUsd)}${rest}`,
      {
        exit: 'preflight',
        hint: `the next call may cost ${dollars(usd)}; every answer that arrived is kept: raise budgetUsd with --set`,
      },
    );
  }
}

function dollars(usd: number): string {
  return `$${usd.toFixed(usd < 0.1 && usd > 0 ? 4 : 2)}`;
}
