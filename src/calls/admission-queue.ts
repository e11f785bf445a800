import type { TeacherProgress } from '../model/event.ts';
import type { ChatAnswer, ChatFailure, Teacher } from '../teachers/teacher.ts';
import type { SessionContext } from './dispatcher.ts';
import type { Endpoint, Permit } from './endpoint.ts';
import { Estimator } from './estimate.ts';
import { Outage } from './outage.ts';
import { RateMeter } from './rate-meter.ts';
import type { Stop } from './shutdown.ts';
import type { Slots, SlotUser } from './slots.ts';

interface PermitRequest {
  readonly tokens: number;
  readonly stop: Stop;
  readonly resolve: (permit: Permit | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Most answers on their way to the disk while others are asked for, as a part of the teacher's slots: a crash loses them, paid. */
const MOST_UNWRITTEN = 1 / 2;
const LEAST_UNWRITTEN = 8;

/** The progress names a server that has been silent for this time. */
export const WORTH_SAYING_MS = 3000;

/**
 * The calls of one teacher that wait for one server in one session. They are admitted as fast as the server takes them, in
 * the order in which they came, those that were sent before first.
 */
export class AdmissionQueue implements SlotUser {
  readonly teacher: Teacher;
  readonly estimator: Estimator;
  /** how long the server's store could not be looked into */
  readonly lookUp = new Outage();
  readonly limits: Endpoint;
  inFlight = 0;
  readonly #context: SessionContext;
  readonly #slots: Slots;
  readonly #hasElsewhere: () => boolean;
  readonly #meters = { requests: new RateMeter(), tokens: new RateMeter(), busy: new RateMeter() };
  readonly #openedAt = performance.now();
  /** Calls that were sent before; new ones, in a list that is emptied from `#head` on. */
  #returning: PermitRequest[] = [];
  #waiting: PermitRequest[] = [];
  #head = 0;
  #unwritten = 0;
  readonly #mostUnwritten: number;

  /** `hasElsewhere`: whether another server would take the calls that wait here. */
  constructor(teacher: Teacher, context: SessionContext, hasElsewhere: () => boolean) {
    const { slots, endpoint } = context.servers.at(teacher, context.retryPolicy);
    this.teacher = teacher;
    this.estimator = new Estimator({ reasoningTokens: teacher.reasoningTokens });
    this.limits = endpoint;
    this.#context = context;
    this.#slots = slots;
    this.#hasElsewhere = hasElsewhere;
    this.#mostUnwritten = Math.max(LEAST_UNWRITTEN, MOST_UNWRITTEN * teacher.concurrency);
    slots.join(this, teacher.concurrency);
    context.shutdown.signal.addEventListener('abort', this.#pump, { once: true });
  }

  /** tokens a minute, if the recipe or the server has named a limit */
  get tokenLimit(): number | undefined {
    return this.limits.tokenLimit;
  }

  /** Why the server will answer nothing more, or nothing for now, once that is certain. */
  get gone(): ChatFailure | undefined {
    return this.#gone(performance.now());
  }

  /** when the server last answered anything but a transient failure, by the process's steady clock */
  get answeredAt(): number {
    return this.limits.answeredAt;
  }

  /** Milliseconds until a call may be tried here; infinite while another call is there to try it, or without hope. */
  closedMs(): number {
    const isTried = this.limits.isFailing && this.#first() !== undefined;
    return isTried ? Number.POSITIVE_INFINITY : this.limits.closedMs(performance.now());
  }

  /** Resolves when a call of this many tokens may be sent; `undefined`: try elsewhere. `again`: before those that are new. */
  acquire(tokens: number, again: boolean, stop: Stop): Promise<Permit | undefined> {
    return new Promise((resolve, reject) => {
      (again ? this.#returning : this.#waiting).push({ tokens, stop, resolve, reject });
      this.#pump();
    });
  }

  /** What the server answered to the call; `used`: tokens of its reply. Another may go, while this one is written down. */
  report(permit: Permit, answer: ChatAnswer, used: number): void {
    const at = performance.now();
    this.#meters.tokens.add(used - permit.tokens, at);
    if (!answer.ok && answer.failure.status === 429) this.#meters.busy.add(1, at);
    const minutes = this.limits.report(permit, answer, used, at);
    if (minutes !== undefined) this.#context.note(`"${this.teacher.name}" is busy and takes no call for ${minutes} min`);
    this.#unwritten += 1;
    this.#free();
  }

  /** The call was not sent after all. */
  cancel(permit: Permit): void {
    this.#meters.tokens.add(-permit.tokens, performance.now());
    this.limits.cancel(permit);
  }

  /** Nothing of the call is on its way any more, not to the server and not to the disk. */
  release(wasReported: boolean): void {
    if (wasReported) {
      this.#unwritten -= 1;
      this.#pump();
    } else this.#free();
  }

  /** The server is left alone for a while: one call has failed at every attempt, and no other was answered in between. */
  trip(): void {
    this.limits.trip(performance.now());
    this.#pump();
  }

  /** Calls whose stop has come leave. */
  heedStops(): void {
    for (const { reject, stop } of this.#take((request) => request.stop.signal.aborted)) reject(stop.reason());
    this.#pump();
  }

  state(): Omit<TeacherProgress, 'id' | 'batches'> {
    const at = performance.now();
    const asked = this.#meters.requests.sum(at);
    // In its first minute a server is asked at a higher rate than a minute's sum says.
    const scale = 60_000 / Math.min(60_000, Math.max(1000, at - this.#openedAt));
    const waitsFor = this.#waitsFor(at);
    return {
      inFlight: this.inFlight,
      ceiling: Math.floor(Math.min(this.limits.atOnce, this.#slots.most, this.teacher.concurrency)),
      requestsPerMinute: Math.round(asked * scale),
      requestLimit: this.limits.requestLimit ?? null,
      tokensPerMinute: Math.round(this.#meters.tokens.sum(at) * scale),
      tokenLimit: this.limits.tokenLimit ?? null,
      busy: asked === 0 ? 0 : Math.min(1, this.#meters.busy.sum(at) / asked),
      ...(waitsFor === undefined ? {} : { waitsFor }),
    };
  }

  close(): void {
    this.#context.shutdown.signal.removeEventListener('abort', this.#pump);
    this.#slots.quit(this);
  }

  clear(at: number): void {
    if (this.#first() === undefined) return;
    const { shutdown } = this.#context;
    if (shutdown.signal.aborted) for (const { reject } of this.#take(() => true)) reject(shutdown.reason());
    else if (this.#gone(at) !== undefined || (this.limits.closedMs(at) > 0 && this.#hasElsewhere()))
      for (const { resolve } of this.#take(() => true)) resolve(undefined);
  }

  waitMs(at: number): number | undefined {
    const first = this.#first();
    if (first === undefined || this.inFlight >= this.teacher.concurrency) return undefined;
    if (this.#unwritten >= this.#mostUnwritten) return undefined;
    const wait = this.limits.waitMs(first.tokens, at);
    // A long wait is looked at again sooner: another server may have opened, and no timer runs longer than 24 days.
    return Number.isFinite(wait) && wait > 0 ? Math.min(wait, Math.max(1, this.#context.retryPolicy.capMs)) : wait;
  }

  admit(at: number): void {
    const first = this.#first() as PermitRequest;
    this.#shift();
    this.inFlight += 1;
    this.#meters.requests.add(1, at);
    this.#meters.tokens.add(first.tokens, at);
    first.resolve(this.limits.acquire(first.tokens, at));
  }

  readonly #pump = (): void => this.#slots.pump();

  #free(): void {
    this.inFlight -= 1;
    this.limits.inFlight -= 1;
    this.#slots.free();
  }

  #gone(at: number): ChatFailure | undefined {
    return this.limits.gone(at, this.teacher.awayMs);
  }

  #first(): PermitRequest | undefined {
    return this.#returning[0] ?? this.#waiting[this.#head];
  }

  #shift(): void {
    if (this.#returning.shift() !== undefined) return;
    this.#waiting[this.#head] = undefined as never;
    this.#head += 1;
    if (this.#head < 1024 || this.#head * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#head);
    this.#head = 0;
  }

  /** Takes out the requests that leave. */
  #take(leaves: (request: PermitRequest) => boolean): PermitRequest[] {
    const waiting = this.#waiting.slice(this.#head);
    const all = [...this.#returning, ...waiting];
    this.#returning = this.#returning.filter((request) => !leaves(request));
    this.#waiting = waiting.filter((request) => !leaves(request));
    this.#head = 0;
    return all.filter(leaves);
  }

  #waitsFor(at: number): TeacherProgress['waitsFor'] {
    const server = this.teacher.where;
    const away = this.limits.away(at);
    if (away !== undefined && away.ms >= WORTH_SAYING_MS)
      return { server, why: away.failure.message, seconds: Math.round(away.ms / 1000) };
    const quiet = this.limits.quietMs(at);
    return quiet < WORTH_SAYING_MS ? undefined : { server, why: 'it is busy', seconds: Math.round(quiet / 1000) };
  }
}
