import { ZephyrError } from '../errors.ts';
import type { Teacher } from '../teachers/teacher.ts';
import type { Totals } from './known-calls.ts';

/** Dollars set aside for a call, from before its intent is written until its outcome is. */
export interface Claim {
  /** The intent is in the log, which counts it from here on. */
  logged(): void;
  /** The call has come back and cost so much, which the log does not know yet. */
  costs(usd: number): void;
  /** The outcome is in the log, or the call was not sent after all. */
  settled(): void;
}

/** A hard cap on what a run spends: what is paid, what may have been billed and what is on its way never exceed it, as estimated. */
export interface Budget {
  readonly capUsd: number | undefined;
  readonly spentUsd: number;
  /** Throws (usage) when there is a cap and this teacher has no price. */
  accept(teacher: Teacher): void;
  /**
   * Sets dollars aside. Waits while calls on their way may turn out cheaper than was thought; throws (preflight) when
   * nothing more fits under the cap.
   */
  claim(usd: number): Promise<Claim>;
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
const FREE: Claim = { logged: () => undefined, costs: () => undefined, settled: () => undefined };

export function makeBudget({ capUsd, totals, left }: BudgetOptions): Budget {
  /** Claims whose intent is not in the log yet, dollars and number; claims without an outcome. */
  let unlogged = 0;
  let unloggedCount = 0;
  let open = 0;
  /** What calls that have come back cost above their estimate, as long as the log has only that. */
  let above = 0;
  const waiting: { readonly usd: number; readonly resolve: (claim: Claim) => void; readonly reject: (error: unknown) => void }[] =
    [];

  const spent = () => totals.costUsd + totals.unknownUsd + totals.lostUsd;
  const fits = (usd: number) => spent() + unlogged + above + usd <= (capUsd ?? 0) + ROUNDING;

  function take(usd: number): Claim {
    let state: 'claimed' | 'logged' | 'settled' = 'claimed';
    let difference = 0;
    unlogged += usd;
    unloggedCount += 1;
    open += 1;
    function logged(): void {
      if (state !== 'claimed') return;
      state = 'logged';
      unloggedCount -= 1;
      unlogged = unloggedCount === 0 ? 0 : unlogged - usd;
    }
    return {
      logged,
      costs(actual) {
        difference = Math.max(0, actual - usd);
        above += difference;
      },
      settled() {
        if (state === 'settled') return;
        logged();
        state = 'settled';
        open -= 1;
        above = open === 0 ? 0 : above - difference;
        admit();
      },
    };
  }

  function admit(): void {
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      if (fits(first.usd)) first.resolve(take(first.usd));
      else if (open === 0) first.reject(reached(first.usd));
      else return;
      waiting.shift();
    }
  }

  function reached(usd: number): ZephyrError {
    const calls = left();
    // Calls of several kinds share the budget: the one that did not fit may be of the dearer kind.
    const each = Math.max(usd, totals.done > 0 ? totals.costUsd / totals.done : 0);
    const rest = calls === undefined ? '' : `; about ${calls} calls for ${dollars(calls * each)} are left`;
    const doubt = totals.unknownUsd + totals.lostUsd;
    const perhaps = doubt === 0 ? '' : `, of which ${dollars(doubt)} perhaps,`;
    return new ZephyrError(`Stopped at the budget: spent ${dollars(spent())}${perhaps} of ${dollars(capUsd ?? 0)}${rest}`, {
      exit: 'preflight',
      hint: 'every answer that arrived is kept: raise budgetUsd with --set',
    });
  }

  return {
    capUsd,
    get spentUsd() {
      return spent();
    },
    accept({ name, price }) {
      if (capUsd === undefined || price !== undefined) return;
      throw new ZephyrError(`Cannot keep to the budget of ${dollars(capUsd)}: teacher "${name}" has no price`, {
        exit: 'usage',
        hint: 'give it a price in the recipe: teachers.NAME.price, dollars per million tokens',
      });
    },
    claim(usd) {
      if (capUsd === undefined) return Promise.resolve(FREE);
      if (waiting.length === 0 && fits(usd)) return Promise.resolve(take(usd));
      return new Promise((resolve, reject) => {
        waiting.push({ usd, resolve, reject });
        admit();
      });
    },
  };
}

function dollars(usd: number): string {
  return `$${usd.toFixed(usd < 0.1 && usd > 0 ? 4 : 2)}`;
}
