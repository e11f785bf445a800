/**
 * How many calls of one kind may be on their way to a server that may bill an unknown amount beyond the limit of a
 * reply: `first` at once, then as many as have been billed, so that their number doubles in the time of one call, until
 * `enough` bills are known. No more than those can turn out dearer than every call before them.
 */
export class Trust {
  /** calls whose dollars are set aside */
  open = 0;
  #billed = 0;
  readonly #first: number;
  readonly #enough: number;

  constructor(first: number, enough: number) {
    this.#first = first;
    this.#enough = enough;
  }

  get isFull(): boolean {
    return this.#billed < this.#enough && this.open >= Math.max(this.#first, this.#billed);
  }

  /** A call has been billed, or it will never be known whether it was. */
  billed(): void {
    this.#billed += 1;
  }
}

/** The trust for calls that are known to cost no more than their estimate. */
export const FULL_TRUST: Trust = new Trust(Number.POSITIVE_INFINITY, 0);
