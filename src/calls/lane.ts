import type { TeacherProgress } from '../model/event.ts';
import type { ChatAnswer, ChatFailure, Teacher } from '../teachers/teacher.ts';
import { aimd } from './aimd.ts';
import { breaker } from './breaker.ts';
import type { Floor } from './desk.ts';
import { type Estimator, estimator } from './estimate.ts';
import { rateMeter } from './rate-meter.ts';
import { tokenBucket } from './token-bucket.ts';

/** A call that was admitted and has not come back. */
export interface Ticket {
  readonly tokens: number;
  /** by the lane's clock */
  readonly enteredAt: number;
  readonly isTrial: boolean;
  readonly takenRequests: number;
  readonly takenTokens: number;
}

/** The way to one server: it lets calls through as fast as the server takes them, in the order in which they came. */
export interface Lane {
  readonly teacher: Teacher;
  readonly estimator: Estimator;
  /** tokens a minute, if anybody has said */
  readonly tokenLimit: number | undefined;
  /** Milliseconds until a call may be tried here; infinite where that is for others to find out or there is no hope. */
  waitMs(): number;
  /** Why it will answer nothing more, or nothing for now, once that is certain. */
  readonly gone: ChatFailure | undefined;
  /** when it last answered anything but a transient failure, by the lane's clock */
  readonly answeredAt: number;
  readonly now: () => number;
  /** Resolves when a call of so many tokens may be sent; `undefined`: try elsewhere. `again`: before those that are new. */
  enter(tokens: number, again: boolean): Promise<Ticket | undefined>;
  /** What the server answered to the call; `used`: tokens of its reply. */
  heard(ticket: Ticket, answer: ChatAnswer, used: number): void;
  /** The call was not sent after all. */
  withdraw(ticket: Ticket): void;
  /** Nothing of the call is on its way any more, not to the server and not to the disk: another may go. */
  leave(): void;
  /** One call has failed so often, with nothing answered in between, that the server is taken to be away. */
  trip(): void;
  state(): Omit<TeacherProgress, 'id' | 'batches'>;
}

interface Waiter {
  readonly tokens: number;
  readonly resolve: (ticket: Ticket | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** A server that has never answered is given up sooner: its address is wrong, or it was never started. */
const OPENINGS_UNSEEN = 3;

/** `hasElsewhere`: whether another server would take the calls that wait here. */
export function openLane(
  teacher: Teacher,
  { halt, patience, note }: Pick<Floor, 'halt' | 'patience' | 'note'>,
  hasElsewhere: () => boolean,
): Lane {
  const now = () => performance.now();
  const requests = tokenBucket(teacher.limits.requestsPerMinute, false);
  const tokens = tokenBucket(teacher.limits.tokensPerMinute, true);
  const atOnce = aimd({ most: teacher.concurrency });
  const fuse = breaker(patience.breakAfter, patience.breakMs, Math.max(patience.breakMs, patience.capMs));
  const meters = { requests: rateMeter(), tokens: rateMeter(), busy: rateMeter() };
  const estimates = estimator({ reasoningTokens: teacher.reasoningTokens });
  /** New ones in a queue that is emptied from `head` on; those that were sent before go first. */
  let waiting: Waiter[] = [];
  let head = 0;
  const returning: Waiter[] = [];
  let inFlight = 0;
  let quietUntil = 0;
  let timer: NodeJS.Timeout | undefined;
  let dead: ChatFailure | undefined;
  let lastFailure: ChatFailure | undefined;
  const openedAt = now();
  let answeredAt = Number.NEGATIVE_INFINITY;
  let busySince: { readonly at: number; times: number } | undefined;
  let silent = false;

  halt.signal.addEventListener('abort', pump, { once: true });

  function next(): Waiter | undefined {
    return returning[0] ?? waiting[head];
  }
  function shift(): void {
    if (returning.length > 0) returning.shift();
    else {
      waiting[head] = undefined as never;
      head += 1;
      if (head < 1024 || head * 2 < waiting.length) return;
      waiting = waiting.slice(head);
      head = 0;
    }
  }

  function waitOf(amount: number, at: number): number {
    return Math.max(quietUntil - at, fuse.waitMs(at), requests.waitMs(1, at), tokens.waitMs(amount, at));
  }

  /** For so long it is better to go elsewhere, if there is an elsewhere. */
  function closedMs(at: number): number {
    const quiet = quietUntil - at;
    const isLong = quiet > patience.capMs || (fuse.openings > 0 && quiet > 0);
    return dead === undefined ? Math.max(fuse.waitMs(at), isLong ? quiet : 0) : Number.POSITIVE_INFINITY;
  }

  /** Lets in whoever may go; at the latest when the next one may, it is called again. */
  function pump(): void {
    clearTimeout(timer);
    timer = undefined;
    for (let first = next(); first !== undefined; first = next()) {
      const at = now();
      if (halt.signal.aborted) first.reject(halt.reason());
      else if (dead !== undefined || (closedMs(at) > 0 && hasElsewhere())) first.resolve(undefined);
      else {
        if (inFlight >= atOnce.limit) return;
        const wait = waitOf(first.tokens, at);
        if (wait > 0) {
          // Sooner than it may go: meanwhile another server may have opened, and no timer runs longer than 24 days.
          if (Number.isFinite(wait)) timer = setTimeout(pump, Math.ceil(Math.min(wait, Math.max(1, patience.capMs))));
          return;
        }
        first.resolve(admit(first.tokens, at));
      }
      shift();
    }
  }

  function admit(amount: number, at: number): Ticket {
    inFlight += 1;
    meters.requests.add(1, at);
    meters.tokens.add(amount, at);
    return {
      tokens: amount,
      enteredAt: at,
      isTrial: fuse.sent(),
      takenRequests: requests.take(1, at),
      takenTokens: tokens.take(amount, at),
    };
  }

  function settleTokens(ticket: Ticket, used: number, at: number): void {
    if (used === 0) tokens.refused(ticket.tokens, ticket.enteredAt);
    else tokens.used(ticket.tokens, used);
    meters.tokens.add(used - ticket.tokens, at);
  }

  function answered(at: number): void {
    answeredAt = at;
    busySince = undefined;
    silent = false;
    fuse.answered();
  }

  function failed(ticket: Ticket, failure: ChatFailure, at: number): void {
    lastFailure = failure;
    if (failure.kind === 'stop' || failure.kind === 'quota') dead = failure;
    else if (failure.kind === 'final') answered(at);
    else if (failure.status === 429) {
      meters.busy.add(1, at);
      atOnce.busy(ticket.enteredAt, inFlight, at);
      busySince ??= { at, times: 0 };
      busySince.times += 1;
      // It may name no time, or one that is never enough.
      const least = at - busySince.at < patience.busyMs ? 0 : patience.busyMs;
      beQuiet(Math.max(failure.afterMs || patience.busyMs, least), at);
      // It is there, and says so.
      if (ticket.isTrial) fuse.answered();
      if (busySince.times >= patience.attempts && at - busySince.at > patience.silenceMs) giveUp(at);
    } else {
      beQuiet(failure.afterMs ?? 0, at);
      fuse.failed(ticket.isTrial, at);
      const unseen = answeredAt === Number.NEGATIVE_INFINITY;
      if (unseen ? fuse.openings >= OPENINGS_UNSEEN : fuse.openings > 0 && at - answeredAt > patience.silenceMs) silent = true;
    }
  }

  function beQuiet(ms: number, at: number): void {
    // While it is silent for long, that has been said.
    if (ms > patience.capMs && quietUntil - at <= patience.capMs)
      note(`"${teacher.name}" is busy and takes no call for ${Math.ceil(ms / 60_000)} min`);
    quietUntil = Math.max(quietUntil, at + ms);
  }

  function giveUp(at: number): void {
    silent = true;
    fuse.trip(at);
  }

  return {
    teacher,
    estimator: estimates,
    now,
    get tokenLimit() {
      return tokens.limit;
    },
    get gone() {
      return dead ?? (silent ? lastFailure : undefined);
    },
    get answeredAt() {
      return answeredAt;
    },
    waitMs() {
      // One call is enough to try it with.
      return fuse.openings > 0 && next() !== undefined ? Number.POSITIVE_INFINITY : closedMs(now());
    },
    enter(amount, again) {
      return new Promise((resolve, reject) => {
        (again ? returning : waiting).push({ tokens: amount, resolve, reject });
        if (timer === undefined) pump();
      });
    },
    heard(ticket, answer, used) {
      const at = now();
      settleTokens(ticket, used, at);
      const { limits } = answer;
      if (limits?.requests !== undefined) requests.correct(limits.requests, ticket.enteredAt, ticket.takenRequests, at);
      if (limits?.tokens !== undefined) tokens.correct(limits.tokens, ticket.enteredAt, ticket.takenTokens, at);
      if (answer.ok) {
        atOnce.answered(at);
        answered(at);
      } else failed(ticket, answer.failure, at);
      if (timer !== undefined || closedMs(at) > 0) pump();
    },
    withdraw(ticket) {
      settleTokens(ticket, 0, now());
      fuse.withdrawn();
    },
    leave() {
      inFlight -= 1;
      pump();
    },
    trip() {
      giveUp(now());
      pump();
    },
    state() {
      const at = now();
      const asked = meters.requests.sum(at);
      // In its first minute a server is asked at a higher rate than a minute's sum says.
      const scale = 60_000 / Math.min(60_000, Math.max(1000, at - openedAt));
      return {
        inFlight,
        ceiling: Math.floor(atOnce.limit),
        requestsPerMinute: Math.round(asked * scale),
        requestLimit: requests.limit ?? null,
        tokensPerMinute: Math.round(meters.tokens.sum(at) * scale),
        tokenLimit: tokens.limit ?? null,
        busy: asked === 0 ? 0 : Math.min(1, meters.busy.sum(at) / asked),
      };
    },
  };
}
