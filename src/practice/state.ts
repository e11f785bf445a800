import type { Faults } from './faults.ts';
import type { QuestionBank } from './question-bank.ts';
import type { Stored } from './stored.ts';

/** What the routes of one practice server share. */
export interface PracticeState {
  readonly bank: QuestionBank;
  readonly stored: Stored;
  readonly faults: Faults;
  /** aborted when the server closes, so that no caller is kept waiting */
  readonly closing: AbortSignal;
}
