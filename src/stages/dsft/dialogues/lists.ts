import * as z from 'zod';
import type { Call } from '../../../calls/call.ts';
import { type CallFields, callOf } from '../../../calls/call-config.ts';
import { forEachAtOnce } from '../../../calls/run-calls.ts';
import { folded } from '../../../datasets/words.ts';
import { ZephyrError } from '../../../errors.ts';
import { jsonIn } from '../../../teachers/json-reply.ts';
import { SHOWN } from './forecast.ts';
import type { OpeningAmount, Workbench } from './workbench.ts';

/** Rounds in a row that bring nothing new, before the subjects are said to have run dry. */
const DRY_ROUNDS = 3;

const reply = z.object({ messages: z.array(z.string()) });

export interface ListRequest {
  readonly user: CallFields;
  /** `openings`; part of the call's key, and the name of the schema */
  readonly purpose: string;
  /** the system turn */
  readonly instructions: string;
  /** the user turn, without what is written already */
  readonly ask: (subject: string) => string;
  /** texts in one list */
  readonly count: number;
  /** what the texts are, for an error: `openings` */
  readonly what: string;
}

/** A text and the subject that it was asked for. */
export interface Written {
  readonly subject: string;
  readonly text: string;
}

/** Different texts, those from before first: at least `wanted`, or what there is when that is at least `least`. */
export type Lists = (amount: OpeningAmount) => Promise<readonly Written[]>;

/**
 * Texts that the user's teacher is asked for, a list a subject, and, while that is not enough, for more that are not on the
 * list yet. Their order is that of rounds and subjects, not that of the replies.
 */
export function openLists(
  { session, count, unanswered }: Pick<Workbench, 'session' | 'count' | 'unanswered'>,
  request: ListRequest,
  subjects: readonly string[],
): Lists {
  const bySubject = new Map<string, string[]>(subjects.map((subject) => [subject, []]));
  const texts = new Map<string, Written>();
  let unread = 0;
  let dry = 0;
  let round = 0;

  async function ask(): Promise<void> {
    round += 1;
    const before = texts.size;
    const lists = new Map<string, string[]>();
    await forEachAtOnce(
      bySubject,
      () => session.inHand,
      async ([subject, written]) => {
        const call = listCall(request, subject, written, round);
        const reply = unanswered.replyIn(call, await session.ask(call));
        const list = reply && readList(reply.text);
        lists.set(subject, list ?? []);
        if (reply === undefined || list !== undefined) return;
        unread += 1;
        count('lists that could not be read');
      },
    );
    for (const [subject, written] of bySubject) {
      for (const text of lists.get(subject) ?? []) {
        // Texts that differ only in case and blanks are the same.
        const name = folded(text).toLowerCase();
        if (texts.has(name)) continue;
        texts.set(name, { subject, text });
        written.push(text);
      }
    }
    dry = texts.size === before ? dry + 1 : 0;
  }

  return async ({ least, wanted, after }) => {
    while (texts.size < wanted && dry < DRY_ROUNDS) {
      session.expect(bySubject.size + after);
      await ask();
    }
    if (texts.size >= least) return [...texts.values()];
    unanswered.check(session);
    throw new ZephyrError(`Cannot find ${least} different ${request.what}: ${subjects.length} subjects gave ${texts.size}`, {
      hint:
        unread > 0
          ? `${unread} replies were no list that can be read; a reply that is cut off is none: raise maxTokens (${request.user.max_tokens})`
          : 'give more topics or ask for fewer dialogues',
    });
  };
}

function listCall(
  { user, purpose, instructions, ask, count }: ListRequest,
  subject: string,
  written: readonly string[],
  round: number,
): Call {
  const shown = written.slice(-SHOWN);
  const already =
    shown.length === 0 ? '' : `\n\nWritten already:\n${shown.map((text) => `- ${JSON.stringify(text)}`).join('\n')}`;
  const messages = { type: 'array', items: { type: 'string' }, minItems: count, maxItems: count };
  return callOf(
    user,
    `${purpose}, round ${round}`,
    [
      { role: 'system', content: instructions },
      { role: 'user', content: `${ask(subject)}${already}` },
    ],
    {
      name: 'openings',
      schema: { type: 'object', properties: { messages }, required: ['messages'], additionalProperties: false },
    },
  );
}

function readList(text: string): string[] | undefined {
  return reply
    .safeParse(jsonIn(text)?.value)
    .data?.messages.map((message) => message.trim())
    .filter((message) => message !== '');
}
