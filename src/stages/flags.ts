import { finishOf } from '../teachers/finish.ts';
import type { ChatReply } from '../teachers/teacher.ts';

/** `missing`: no answer came; `refusal`, `truncated`, `empty`: one came that should win nothing. */
export type Flag = 'missing' | 'refusal' | 'truncated' | 'empty';

/** Openings by which models decline. A flag, not a verdict: flagged answers stay in the data and out of the pairs. */
const REFUSAL =
  /^\s*(i'?m sorry,? but|i am sorry,? but|sorry,? (but )?i (can'?t|cannot)|i (can'?t|cannot|can not|won'?t|am not able to|'m not able to|am unable to|'m unable to) (help|assist|answer|comply|fulfil|provide|do that)|as an ai( language model)?,? i (can'?t|cannot|am not able|'m not able))/i;

/** What a reply is to be marked as, by what it says and how it ended. */
export function flagsOf({ text, finishReason, refusal }: Pick<ChatReply, 'text' | 'finishReason' | 'refusal'>): Flag[] {
  const flags: Flag[] = [];
  const finish = finishOf(finishReason);
  if (refusal !== undefined || finish === 'refused' || REFUSAL.test(text.replaceAll('’', "'"))) flags.push('refusal');
  // A fault of the server's own leaves half an answer too.
  if (finish === 'cut' || finish === 'error') flags.push('truncated');
  if (text.trim() === '' && refusal === undefined) flags.push('empty');
  return flags;
}
