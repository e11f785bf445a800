import { ZephyrError } from '../errors.ts';
import type { ChatReply } from '../teachers/teacher.ts';
import type { CallOutcome } from './call.ts';
import { type CallPurpose, exitOf, remedy } from './gave-up.ts';
import type { CallSession } from './session.ts';

/** The step that the calls are for. */
export interface AskingStep {
  /** `STAGE/STEP`, for messages */
  readonly step: string;
  /** share of the calls that may stay without a reply; without it see `MAX_DECLINED` */
  readonly maxUnanswered: number | undefined;
  readonly note: (message: string) => void;
}

type UnansweredFailure = Extract<CallOutcome, { readonly ok: false }>['failure'];

/** Without a word in the recipe: of calls that a server declines for what is in them, one in twenty; of others none. */
const MAX_DECLINED = 0.05;

/** Kinds of calls that an error names. */
const SHOWN = 3;

/**
 * The calls of a step that brought no reply. A server that was mended may answer them, so a step does not publish as if
 * they had been answered: it ends, and the next run asks these alone. What a server declines for what is in the
 * call, too long or filtered, it would decline again: a small share of that is said and left out.
 */
export class Unanswered {
  readonly #context: AskingStep;
  readonly #kinds = new Map<string, { readonly asked: CallPurpose; readonly failure: UnansweredFailure; count: number }>();
  #all = 0;
  #declined = 0;

  constructor(context: AskingStep) {
    this.#context = context;
  }

  add({ teacher, purpose }: CallPurpose, failure: UnansweredFailure): void {
    this.#all += 1;
    if (failure.kind === 'final') this.#declined += 1;
    const name = `${teacher} ${purpose} ${failure.kind}`;
    const kind = this.#kinds.get(name) ?? { asked: { teacher, purpose }, failure, count: 0 };
    kind.count += 1;
    this.#kinds.set(name, kind);
  }

  /** The reply, or a call more without one. */
  replyIn(asked: CallPurpose, outcome: CallOutcome): ChatReply | undefined {
    if (outcome.ok) return outcome.reply;
    this.add(asked, outcome.failure);
    return undefined;
  }

  /** Says how many of the calls that the session was asked for have no reply, or throws where that is more than may be left out. */
  check(session: Pick<CallSession, 'summary'>): void {
    if (this.#all === 0) return;
    const { asked, replayed, failed } = session.summary();
    const calls = asked + replayed + failed;
    const said = `${this.#all} of ${calls} calls got no reply: ${this.#inWords()}`;
    const { maxUnanswered: share, note } = this.#context;
    const mayBeLeftOut =
      share === undefined ? this.#declined === this.#all && this.#all <= MAX_DECLINED * calls : this.#all <= share * calls;
    if (!mayBeLeftOut) throw this.#error(said);
    note(`${said}; what they were for is left out`);
  }

  #inWords(): string {
    const kinds = [...this.#kinds.values()].sort((a, b) => b.count - a.count);
    const shown = kinds.slice(0, SHOWN).map(({ asked: { teacher, purpose }, failure, count }) => {
      return `${count} to teacher "${teacher}" for "${purpose}" (${failure.message})`;
    });
    return [...shown, ...(kinds.length > SHOWN ? ['and others'] : [])].join(', ');
  }

  /** Judges by the worst failure: the user has to mend a refusal before anything else helps. */
  #error(said: string): ZephyrError {
    const kinds = [...this.#kinds.values()];
    const of = (kind: UnansweredFailure['kind']) => kinds.find(({ failure }) => failure.kind === kind);
    const worst = of('refused') ?? of('again') ?? kinds[0];
    return new ZephyrError(`Cannot end step ${this.#context.step}: ${said}`, {
      ...(worst === undefined ? {} : { exit: exitOf(worst.failure) }),
      hint: `${worst === undefined ? '' : `${remedy(worst.asked.teacher, worst.failure)}; `}every answer is kept, and the same command asks these calls alone; maxUnanswered in the recipe leaves a share of them out`,
    });
  }
}
