import type { TeacherProgress } from '../model/event.ts';
import type { Call, CallOutcome } from './call.ts';

/**
 * Where the calls to one teacher are sent from. It admits, sends, waits and tries again; each reply is in the log before
 * it is handed on. Live calls and batches are two desks behind this one interface.
 */
export interface Desk {
  /** Calls that a step should have in hand at once, so that this desk is never idle. */
  readonly inHand: number;
  /** Settles a call that is not in the log. Throws what halted the session. */
  settle(call: Call, key: string): Promise<CallOutcome>;
  state(): Omit<TeacherProgress, 'id'>;
  /** Waits for what is on its way. */
  close(): Promise<void>;
}
