import { counter, countsInWords } from '../base/counter.ts';
import { ZephyrError } from '../errors.ts';

/** What is said of rows that are left out. */
export interface DroppedWording {
  /** `the pairs of split "train"` */
  readonly what: string;
  /** what a row must be */
  readonly expected: string;
  /** the key of the recipe that allows more */
  readonly key: string;
  /** the columns of the data, for a message about rows of which none can be used */
  readonly columns?: readonly string[];
}

/** Rows that a step cannot use, counted by reason. */
export class Dropped {
  readonly #reasons = counter();
  #rows = 0;
  #dropped = 0;
  #first = '';

  /** Counts a row that is used. */
  keep(): void {
    this.#rows += 1;
  }

  /** Counts a row that is not, at `row 3` or `train.jsonl, line 3`. */
  drop(reason: string, at: string): void {
    this.#rows += 1;
    this.#dropped += 1;
    this.#reasons.add(reason);
    if (this.#first === '') this.#first = at;
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#reasons.counts();
  }

  get rows(): number {
    return this.#rows;
  }

  /** There are rows, and none can be used. */
  get isAll(): boolean {
    return this.#rows > 0 && this.#dropped === this.#rows;
  }

  /** Throws a `ZephyrError` (usage) where a larger share than `most` was dropped, or all rows were. */
  refuseAbove(most: number, { what, expected, key, columns }: DroppedWording): void {
    if (this.#dropped === 0 || (this.#dropped < this.#rows && this.#dropped / this.#rows <= most)) return;
    throw new ZephyrError(
      `Cannot take ${what}: ${this.#dropped} of ${this.#rows} rows cannot be used (${countsInWords(this.counts)}), the first is ${this.#first}; expected ${expected}`,
      {
        hint:
          this.isAll && columns !== undefined
            ? `its columns are ${columns.join(', ')}`
            : `at most ${most} of the rows may be left out; ${key} in the recipe sets another share`,
      },
    );
  }

  /** For the terminal: `12 of 16 rows of ... cannot be used: 8 ends with a user turn, ...`; undefined where all can. */
  note(what: string): string | undefined {
    if (this.#dropped === 0) return undefined;
    return `${this.#dropped} of ${this.#rows} rows of ${what} cannot be used and are left out: ${countsInWords(this.counts)}`;
  }
}
