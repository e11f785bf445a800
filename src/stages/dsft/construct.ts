import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { hmacUniform } from '../../base/hmac-choice.ts';
import { type Columns, writeParquet } from '../../base/parquet.ts';
import { type Call, callKey } from '../../calls/call.ts';
import { forEachAtOnce } from '../../calls/for-each.ts';
import { IN_HAND, withSession } from '../../calls/run-calls.ts';
import { ZephyrError } from '../../errors.ts';
import type { ChatMessage, ChatReply } from '../../teachers/teacher.ts';
import { datasetCard } from '../dataset-card.ts';
import { flagsOf } from '../flags.ts';
import { counter, MESSAGES } from '../rows.ts';
import type { Task } from '../stage.ts';
import { callFields, callOf, promptId, sessionOf } from '../step-config.ts';
import { openingsOf } from './openings.ts';

const config = z.object({
  seed: z.int(),
  user: callFields,
  assistant: callFields,
  topics: z.array(z.string()).min(1),
  questions_per_topic: z.int(),
  dialogues: z.int(),
  test_dialogues: z.int(),
  turns: z.object({ min: z.int(), max: z.int() }),
});
type Config = z.infer<typeof config>;

const COLUMNS: Columns = { prompt: 'string', prompt_id: 'string', messages: MESSAGES };

/**
 * Dialogues as UltraChat made them: one teacher, playing the user, turns topics into opening questions and goes on asking;
 * another answers, for a number of rounds drawn by seed and opening. A dialogue whose next turn does not come ends with
 * the last answer; one without any answer is dropped. Refusals are counted here and dropped in `prepare`.
 */
export const construct: Task = async (context) => {
  const settings = config.parse(context.config);
  const wanted = settings.dialogues + settings.test_dialogues;
  const playUser = (await readFile(join(context.files, 'templates/user-next.md'), 'utf8')).trim();
  return withSession(sessionOf(context), async (session) => {
    const { openings, unread } = await openingsOf(session, context.files, settings, wanted);
    const order = openings
      .toSorted((a, b) => hmacUniform(settings.seed, 'openings', a) - hmacUniform(settings.seed, 'openings', b))
      .slice(0, wanted);
    session.expect(order.reduce((sum, opening) => sum + 2 * roundsOf(settings, opening) - 1, 0));
    await forEachAtOnce(order, IN_HAND, async (opening) => {
      await dialogue(settings, playUser, opening, async (call) => {
        const outcome = await session.ask(call);
        return outcome.ok ? outcome.reply : undefined;
      });
    });

    const counts = counter();
    counts.add('lists of openings that could not be read', unread);
    async function* rows(part: readonly string[]) {
      for (const opening of part) {
        const messages = await dialogue(settings, playUser, opening, (call) => session.read(callKey(call)), counts.add);
        if (messages.length >= 2) yield { prompt: opening, prompt_id: promptId(opening), messages };
        else counts.add('dialogues without an answer');
      }
    }
    const file = (split: string) => `data/${split}-00000-of-00001.parquet`;
    const test = await writeParquet(join(context.out, file('test_sft')), COLUMNS, rows(order.slice(0, settings.test_dialogues)));
    const train = await writeParquet(join(context.out, file('train_sft')), COLUMNS, rows(order.slice(settings.test_dialogues)));
    if (train === 0)
      throw new ZephyrError('Cannot go on without a dialogue: no opening was answered', {
        exit: 'jobFailed',
        hint: JSON.stringify(counts.counts()),
      });
    await writeFile(
      join(context.out, 'README.md'),
      datasetCard('Dialogues', `Questions of ${settings.user.model}, answers of ${settings.assistant.model}.`, {
        default: { train_sft: file('train_sft'), test_sft: file('test_sft') },
      }),
    );
    const { costUsd, possibleDoubleSpend, recovered } = session.summary();
    return {
      metrics: {
        train_sft: train,
        test_sft: test,
        counts: counts.counts(),
        possible_double_spend: possibleDoubleSpend,
        recovered,
      },
      costUsd,
    };
  });
};

function roundsOf({ seed, turns: { min, max } }: Config, opening: string): number {
  return min + Math.floor(hmacUniform(seed, 'rounds', opening) * (max - min + 1));
}

/** Turn by turn; every call's key holds the turns before it. */
async function dialogue(
  settings: Config,
  playUser: string,
  opening: string,
  replyTo: (call: Call) => Promise<ChatReply | undefined>,
  count: (what: string) => void = () => {},
): Promise<ChatMessage[]> {
  const messages: ChatMessage[] = [{ role: 'user', content: opening }];
  for (let left = roundsOf(settings, opening); left > 0; left -= 1) {
    const answer = await replyTo(callOf(settings.assistant, 'dialogue answer', [...messages]));
    for (const flag of answer === undefined ? (['missing'] as const) : flagsOf(answer)) count(`answers: ${flag}`);
    if (answer === undefined || answer.text.trim() === '') break;
    messages.push({ role: 'assistant', content: answer.text });
    if (left === 1) break;
    const question = await replyTo(nextQuestion(settings, playUser, messages));
    if (question === undefined || question.text.trim() === '' || question.finishReason === 'length') {
      count('dialogues without a next question');
      break;
    }
    messages.push({ role: 'user', content: question.text.trim() });
  }
  return messages.at(-1)?.role === 'user' ? messages.slice(0, -1) : messages;
}

function nextQuestion({ user }: Config, playUser: string, messages: readonly ChatMessage[]): Call {
  const said = messages.map(({ role, content }) => `${role === 'user' ? 'User' : 'Assistant'}: ${content}`).join('\n\n');
  return callOf(user, 'dialogue question', [
    { role: 'system', content: playUser },
    { role: 'user', content: said },
  ]);
}
