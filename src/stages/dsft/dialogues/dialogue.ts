import type { Call } from '../../../calls/call.ts';
import { callOf } from '../../../calls/call-config.ts';
import { finishOf } from '../../../teachers/finish.ts';
import type { ChatMessage, ChatReply } from '../../../teachers/teacher.ts';
import { type Flag, flagsOf } from '../../flags.ts';
import { type Opening, roundsOf, type Settings } from './settings.ts';

export interface Dialogue {
  /** ends with an answer; empty when there is none */
  readonly messages: readonly ChatMessage[];
  /** of all its answers */
  readonly flags: readonly Flag[];
  /** the user's teacher did not go on */
  readonly isCutShort: boolean;
}

/**
 * Turn by turn; every call's key holds the turns before it. A dialogue whose next turn does not come, or comes cut off, ends
 * with the last whole answer: half an answer would teach to stop in the middle.
 */
export async function dialogue(
  settings: Settings,
  playUser: string,
  opening: Opening,
  replyTo: (call: Call) => Promise<ChatReply | undefined>,
): Promise<Dialogue> {
  const messages: ChatMessage[] = [{ role: 'user', content: opening.text }];
  const flags: Flag[] = [];
  let isCutShort = false;
  for (let left = roundsOf(settings, opening); left > 0; left -= 1) {
    const answer = await replyTo(callOf(settings.assistant, 'dialogue answer', [...messages]));
    const marks: readonly Flag[] = answer === undefined ? ['missing'] : flagsOf(answer);
    flags.push(...marks);
    if (answer === undefined || answer.text.trim() === '' || marks.includes('truncated')) break;
    messages.push({ role: 'assistant', content: answer.text });
    if (left === 1) break;
    const question = await replyTo(nextQuestion(settings, playUser, messages));
    if (question === undefined || !isWhole(question)) {
      isCutShort = true;
      break;
    }
    messages.push({ role: 'user', content: question.text.trim() });
  }
  if (messages.at(-1)?.role === 'user') messages.pop();
  return { messages, flags, isCutShort };
}

/** There is a text, and nothing says that it did not come to its end. */
export function isWhole({ text, finishReason, refusal }: Pick<ChatReply, 'text' | 'finishReason' | 'refusal'>): boolean {
  const finish = finishOf(finishReason);
  return text.trim() !== '' && refusal === undefined && (finish === 'normal' || finish === 'unknown');
}

function nextQuestion({ user }: Settings, playUser: string, messages: readonly ChatMessage[]): Call {
  const said = messages.map(({ role, content }) => `${role === 'user' ? 'User' : 'Assistant'}: ${content}`).join('\n\n');
  return callOf(user, 'dialogue question', [
    { role: 'system', content: playUser },
    { role: 'user', content: said },
  ]);
}
