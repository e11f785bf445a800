import type { Faults } from './faults.ts';
import type { Syllabus } from './questions.ts';
import type { Stored } from './stored.ts';

/** What the routes of one practice server share. */
export interface PracticeState {
  readonly syllabus: Syllabus;
  readonly stored: Stored;
  readonly faults: Faults;
  /** aborted when the server closes: nobody is kept waiting after that */
  readonly closing: AbortSignal;
}
