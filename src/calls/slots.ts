/** The calls of one teacher that wait in one session; it shares the slots of a server with others. */
export interface SlotUser {
  readonly inFlight: number;
  /** Users with the same object share its limits: while one waits for room under a limit, no other may take that room. */
  readonly limits: object;
  /** Gives back the calls that need no slot, since they are to go elsewhere or nowhere. */
  clear(at: number): void;
  /** Milliseconds until its next call may be sent, were there a slot; infinite: an event will tell; `undefined`: none waits. */
  waitMs(at: number): number | undefined;
  /** Sends its next call. */
  admit(at: number): void;
}

/**
 * The calls that a server is sent at once, all teachers at it together. A free slot goes to the one that holds the fewest,
 * of several to the one that has waited longest: a teacher with calls waiting gets its share, however slow the others' calls
 * are, and no slot stays free while a teacher could use it.
 */
export class Slots {
  /** in the order of their turns */
  readonly #users = new Set<SlotUser>();
  #most = 0;
  #inFlight = 0;
  #timer: NodeJS.Timeout | undefined;

  get most(): number {
    return this.#most;
  }

  /** `most`: calls at once that the recipe allows for this teacher; the server gets the largest number of all its teachers. */
  join(user: SlotUser, most: number): void {
    this.#users.add(user);
    this.#most = Math.max(this.#most, most);
  }

  quit(user: SlotUser): void {
    this.#users.delete(user);
    this.pump();
  }

  /** A call has come back. */
  free(): void {
    this.#inFlight -= 1;
    this.pump();
  }

  /** Sends the calls that may go, and calls itself again at the latest when the next one may. */
  pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const cleared = performance.now();
    for (const user of this.#users) user.clear(cleared);
    while (this.#inFlight < this.#most) {
      const at = performance.now();
      const next = this.#next(at);
      if (next === undefined) return;
      this.#users.delete(next);
      this.#users.add(next);
      this.#inFlight += 1;
      next.admit(at);
    }
  }

  /** The user whose call is sent now; where no call may be, sets the timer. */
  #next(at: number): SlotUser | undefined {
    const waiting = [...this.#users].flatMap((user) => {
      const wait = user.waitMs(at);
      return wait === undefined ? [] : [{ user, wait }];
    });
    const held = new Set<object>();
    let soonest = Number.POSITIVE_INFINITY;
    for (const { user, wait } of waiting.sort((a, b) => a.user.inFlight - b.user.inFlight)) {
      if (held.has(user.limits)) continue;
      if (wait <= 0) return user;
      held.add(user.limits);
      soonest = Math.min(soonest, wait);
    }
    if (Number.isFinite(soonest)) this.#timer = setTimeout(() => this.pump(), Math.ceil(soonest));
    return undefined;
  }
}
