import type { TeacherProgress } from '../model/event.ts';
import type { ChatAnswer, ChatFailure, Teacher } from '../teachers/teacher.ts';
import type { SessionContext } from './dispatcher.ts';
import type { Permit } from './endpoint.ts';
import { type Estimator, estimator } from './estimate.ts';
import { rateMeter } from './rate-meter.ts';
import type { Stop } from './shutdown.ts';
import type { SlotUser } from './slots.ts';

/** The way of one teacher's calls to one server: it lets them through as fast as the server takes them, in the order in which they came. */
export interface AdmissionQueue {
  readonly teacher: Teacher;
  readonly estimator: Estimator;
  /** tokens a minute, if anybody has said */
  readonly tokenLimit: number | undefined;
  /** Milliseconds until a call may be tried here; infinite where that is for others to find out or there is no hope. */
  waitMs(): number;
  /** Why it will answer nothing more, or nothing for now, once that is certain. */
  readonly gone: ChatFailure | undefined;
  /** when the server last answered anything but a transient failure, by the queue's clock */
  readonly answeredAt: number;
  readonly now: () => number;
  /** Resolves when a call of so many tokens may be sent; `undefined`: try elsewhere. `again`: before those that are new. */
  enter(tokens: number, again: boolean, stop: Stop): Promise<Permit | undefined>;
  /** What the server answered to the call; `used`: tokens of its reply. Another may go, while this one is written down. */
  heard(permit: Permit, answer: ChatAnswer, used: number): void;
  /** The call was not sent after all. */
  withdraw(permit: Permit): void;
  /** Nothing of the call is on its way any more, not to the server and not to the disk. */
  leave(wasHeard: boolean): void;
  /** One call has failed so often, with nothing answered in between, that the server is left alone for a while. */
  trip(): void;
  /** Calls whose stop has come leave. */
  heedStops(): void;
  state(): Omit<TeacherProgress, 'id' | 'batches'>;
  close(): void;
}

interface PermitRequest {
  readonly tokens: number;
  readonly stop: Stop;
  readonly resolve: (permit: Permit | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Answers that are on their way to the disk while others are asked for, of the teacher's slots: a crash loses them, paid. */
const MOST_UNWRITTEN = 1 / 2;
const LEAST_UNWRITTEN = 8;

/** For so long a call may be late, or a server silent, before that is worth a word. */
export const WORTH_SAYING_MS = 3000;

/** `hasElsewhere`: whether another server would take the calls that wait here. */
export function openQueue(
  teacher: Teacher,
  { shutdown, retryPolicy, note, servers }: Pick<SessionContext, 'shutdown' | 'retryPolicy' | 'note' | 'servers'>,
  hasElsewhere: () => boolean,
): AdmissionQueue {
  const now = () => performance.now();
  const { slots, endpoint } = servers.at(teacher, retryPolicy);
  const meters = { requests: rateMeter(), tokens: rateMeter(), busy: rateMeter() };
  const estimates = estimator({ reasoningTokens: teacher.reasoningTokens });
  const openedAt = now();
  /** New ones in a queue that is emptied from `head` on; those that were sent before go first. */
  let waiting: PermitRequest[] = [];
  let head = 0;
  let returning: PermitRequest[] = [];
  let inFlight = 0;
  let unwritten = 0;
  const mostUnwritten = Math.max(LEAST_UNWRITTEN, MOST_UNWRITTEN * teacher.concurrency);

  const next = (): PermitRequest | undefined => returning[0] ?? waiting[head];
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
  function take(leaves: (request: PermitRequest) => boolean): PermitRequest[] {
    const all = [...returning, ...waiting.slice(head)];
    returning = returning.filter((request) => !leaves(request));
    waiting = waiting.slice(head).filter((request) => !leaves(request));
    head = 0;
    return all.filter(leaves);
  }
  const gone = (at = now()) => endpoint.gone(at, teacher.awayMs);

  const user: SlotUser = {
    limits: endpoint,
    get inFlight() {
      return inFlight;
    },
    clear(at) {
      if (next() === undefined) return;
      if (shutdown.signal.aborted) for (const { reject } of take(() => true)) reject(shutdown.reason());
      else if (gone(at) !== undefined || (endpoint.closedMs(at) > 0 && hasElsewhere()))
        for (const { resolve } of take(() => true)) resolve(undefined);
    },
    waitMs(at) {
      const first = next();
      if (first === undefined || inFlight >= teacher.concurrency || unwritten >= mostUnwritten) return undefined;
      const wait = endpoint.waitMs(first.tokens, at);
      // Looked at sooner than it may go: meanwhile another server may have opened, and no timer runs longer than 24 days.
      return Number.isFinite(wait) && wait > 0 ? Math.min(wait, Math.max(1, retryPolicy.capMs)) : wait;
    },
    admit(at) {
      const first = next() as PermitRequest;
      shift();
      inFlight += 1;
      meters.requests.add(1, at);
      meters.tokens.add(first.tokens, at);
      first.resolve(endpoint.admit(first.tokens, at));
    },
  };
  const pump = () => slots.pump();
  function free(): void {
    inFlight -= 1;
    endpoint.inFlight -= 1;
    slots.free();
  }
  slots.join(user, teacher.concurrency);
  shutdown.signal.addEventListener('abort', pump, { once: true });

  return {
    teacher,
    estimator: estimates,
    now,
    get tokenLimit() {
      return endpoint.tokenLimit;
    },
    get gone() {
      return gone();
    },
    get answeredAt() {
      return endpoint.answeredAt;
    },
    waitMs() {
      // One call is enough to try it with.
      return endpoint.isFailing && next() !== undefined ? Number.POSITIVE_INFINITY : endpoint.closedMs(now());
    },
    enter(amount, again, stop) {
      return new Promise((resolve, reject) => {
        (again ? returning : waiting).push({ tokens: amount, stop, resolve, reject });
        pump();
      });
    },
    heard(permit, answer, used) {
      const at = now();
      meters.tokens.add(used - permit.tokens, at);
      if (!answer.ok && answer.failure.status === 429) meters.busy.add(1, at);
      endpoint.heard(permit, answer, used, at, (minutes) =>
        note(`"${teacher.name}" is busy and takes no call for ${minutes} min`),
      );
      unwritten += 1;
      free();
    },
    withdraw(permit) {
      meters.tokens.add(-permit.tokens, now());
      endpoint.withdraw(permit);
    },
    leave(wasHeard) {
      if (!wasHeard) return free();
      unwritten -= 1;
      pump();
    },
    trip() {
      endpoint.trip(now());
      pump();
    },
    heedStops() {
      for (const { reject, stop } of take((request) => request.stop.signal.aborted)) reject(stop.reason());
      pump();
    },
    state() {
      const at = now();
      const asked = meters.requests.sum(at);
      // In its first minute a server is asked at a higher rate than a minute's sum says.
      const scale = 60_000 / Math.min(60_000, Math.max(1000, at - openedAt));
      const away = endpoint.away(at);
      const quiet = endpoint.quietMs(at);
      const waitsFor =
        away !== undefined && away.ms >= WORTH_SAYING_MS
          ? { server: teacher.where, why: away.failure.message, seconds: Math.round(away.ms / 1000) }
          : undefined;
      return {
        inFlight,
        ceiling: Math.floor(Math.min(endpoint.atOnce, slots.most, teacher.concurrency)),
        requestsPerMinute: Math.round(asked * scale),
        requestLimit: endpoint.requestLimit ?? null,
        tokensPerMinute: Math.round(meters.tokens.sum(at) * scale),
        tokenLimit: endpoint.tokenLimit ?? null,
        busy: asked === 0 ? 0 : Math.min(1, meters.busy.sum(at) / asked),
        ...(waitsFor === undefined ? {} : { waitsFor }),
        ...(quiet < WORTH_SAYING_MS || waitsFor !== undefined
          ? {}
          : { waitsFor: { server: teacher.where, why: 'it is busy', seconds: Math.round(quiet / 1000) } }),
      };
    },
    close() {
      shutdown.signal.removeEventListener('abort', pump);
      slots.quit(user);
    },
  };
}
