import * as z from 'zod';
import type { Call } from '../../../calls/call.ts';
import { forEachAtOnce } from '../../../calls/for-each.ts';
import type { CallSession } from '../../../calls/session.ts';
import { ZephyrError } from '../../../errors.ts';
import { type CallFields, callOf } from '../../step-config.ts';
import { folded } from '../../words.ts';

/** Rounds in a row that bring nothing new, before the subjects are said to have run dry. */
const DRY_ROUNDS = 3;
/** So many of the texts that a subject has already are shown when more are asked for: all of them would cost ever more. */
export const SHOWN = 40;

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

/** How many different texts are asked for, and how many there must be when no more can be found. */
export interface Amount {
  readonly least: number;
  readonly wanted: number;
}

/**
 * Different texts, at least `wanted`, or what there is when that is at least `least`: the user's teacher is asked for a list a subject, and, while that is not enough, for
 * more that are not on the list yet. The order is that of subjects and rounds, whatever comes first.
 */
export async function listsOf(
  session: CallSession,
  request: ListRequest,
  subjects: readonly string[],
  { least, wanted }: Amount,
): Promise<{ readonly texts: readonly Written[]; readonly unread: number }> {
  const bySubject = new Map<string, string[]>(subjects.map((subject) => [subject, []]));
  const texts = new Map<string, Written>();
  let unread = 0;
  for (let round = 1, dry = 0; texts.size < wanted; round += 1) {
    const before = texts.size;
    const lists = new Map<string, string[]>();
    await forEachAtOnce(
      bySubject,
      () => session.inHand,
      async ([subject, written]) => {
        const outcome = await session.ask(listCall(request, subject, written, round));
        const list = outcome.ok ? readList(outcome.reply.text) : undefined;
        if (list === undefined) unread += 1;
        lists.set(subject, list ?? []);
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
    if (dry === DRY_ROUNDS && texts.size >= least) break;
    if (dry === DRY_ROUNDS) {
      throw new ZephyrError(`Cannot find ${least} different ${request.what}: ${subjects.length} subjects gave ${texts.size}`, {
        hint:
          unread > 0
            ? `${unread} replies were no list that can be read; a reply that is cut off is none: raise maxTokens (${request.user.max_tokens})`
            : 'give more topics or ask for fewer dialogues',
      });
    }
  }
  return { texts: [...texts.values()], unread };
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
  return {
    ...callOf(user, `${purpose}, round ${round}`, [
      { role: 'system', content: instructions },
      { role: 'user', content: `${ask(subject)}${already}` },
    ]),
    schema: {
      name: 'openings',
      schema: { type: 'object', properties: { messages }, required: ['messages'], additionalProperties: false },
    },
  };
}

function readList(text: string): string[] | undefined {
  try {
    return reply
      .parse(JSON.parse(text))
      .messages.map((message) => message.trim())
      .filter((message) => message !== '');
  } catch {
    return undefined;
  }
}
