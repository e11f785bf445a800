import type { Admit, PracticeLimits } from './limits.ts';
import type { Misbehaviour } from './misbehaviour.ts';
import type { Syllabus } from './questions.ts';
import type { Stored } from './stored.ts';

/** What the routes of one practice server share. */
export interface PracticeState {
  readonly syllabus: Syllabus;
  readonly stored: Stored;
  /** rules for all calls */
  readonly always: readonly Misbehaviour[];
  /** Draws which of the rules hit a call, by the call's body. */
  readonly faultsOf: (rules: readonly Misbehaviour[], body: string) => readonly Misbehaviour[];
  readonly limits: PracticeLimits;
  readonly admit: Admit;
  /** aborted when the server closes: nobody is kept waiting after that */
  readonly closing: AbortSignal;
}
