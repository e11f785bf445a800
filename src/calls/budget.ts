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
  /** The call has come back and cost `usd`, which the log does not know yet. */
  costs(usd: number): void;
  /** The outcome is in the log, or the call was not sent after all. */
  settled(): void;
}

export interface BudgetOptions {
  readonly capUsd: number | undefined;
  /** of the run's own log */
  readonly totals: Pick<Totals, 'done' | 'costUsd' | 'unknownUsd' | 'lostUsd'>;
  /** Calls that are left to do, if that is known. */
  readonly left: () => number | undefined;
}

/** Sums of dollars are off in the last digits. */
const ROUNDING = 1e-9;

interface ClaimRequest {
  readonly most: () => number;
  readonly resolve: (claim: Claim) => void;
  readonly reject: (error: unknown) => void;
}

/** A hard cap on what a run spends: what is paid, what may have been billed and what is on its way, each at its most, never exceed it. */
export class Budget {
  readonly #options: BudgetOptions;
  /** Claims whose intent is not in the log yet, dollars and number; claims without an outcome. */
  #unlogged = 0;
  #unloggedCount = 0;
  #open = 0;
  /** What calls that have come back cost above their claim, as long as the log has only that. */
  #above = 0;
  /** Claims that wait, by their trust: one kind of calls that has to wait for its bills does not hold up the others. */
  readonly #waiting = new Map<Trust, ClaimRequest[]>();

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  get capUsd(): number | undefined {
    return this.#options.capUsd;
  }

  /** Throws (usage) when there is a cap and this teacher has no price. */
  accept({ name, price }: Teacher): void {
    if (this.capUsd === undefined || price !== undefined) return;
    throw new ZephyrError(`Cannot keep to the budget of ${dollars(this.capUsd)}: teacher "${name}" has no price`, {
      exit: 'usage',
      hint: 'give it a price in the recipe: teachers.NAME.price, dollars per million tokens',
    });
  }

  /**
   * Sets aside what a call may cost at most, which is asked for when it is its turn: others may have shown by then that it
   * is more. Waits while calls on their way may turn out cheaper than that, and while `trust` is full; throws (preflight)
   * when nothing more fits under the cap.
   */
  async claim(most: () => number, trust = FULL_TRUST): Promise<Claim> {
    if (this.capUsd === undefined) return freeClaim(most());
    return new Promise((resolve, reject) => {
      const queue = this.#waiting.get(trust) ?? [];
      this.#waiting.set(trust, queue);
      queue.push({ most, resolve, reject });
      if (queue.length === 1) this.#admitAll();
    });
  }

  /** Lets in the claims that may go, kind by kind; one that waits for dollars to come back holds up all that came later. */
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
      // A free call shows nothing of what calls cost, so it need not wait for their bills.
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
    const { costUsd, unknownUsd, lostUsd } = this.#options.totals;
    return costUsd + unknownUsd + lostUsd;
  }

  #fits(usd: number): boolean {
    return this.#spent() + this.#unlogged + this.#above + usd <= (this.capUsd ?? 0) + ROUNDING;
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
    const { done, costUsd, unknownUsd, lostUsd } = this.#options.totals;
    const calls = this.#options.left();
    const each = done > 0 ? costUsd / done : usd;
    const rest = calls === undefined ? '' : `; about ${calls} calls for ${dollars(calls * each)} are left`;
    const doubt = unknownUsd + lostUsd;
    const perhaps = doubt === 0 ? '' : `, of which ${dollars(doubt)} perhaps,`;
    return new ZephyrError(
      `Stopped at the budget: spent ${dollars(this.#spent())}${perhaps} of ${dollars(this.capUsd ?? 0)}${rest}`,
      {
        exit: 'preflight',
        hint: `the next call may cost ${dollars(usd)}; every answer that arrived is kept: raise budgetUsd with --set`,
      },
    );
  }
}

function freeClaim(usd: number): Claim {
  return { usd, logged: () => undefined, costs: () => undefined, settled: () => undefined };
}

function dollars(usd: number): string {
  return `$${usd.toFixed(usd < 0.1 && usd > 0 ? 4 : 2)}`;
}
