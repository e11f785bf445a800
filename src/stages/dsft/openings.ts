import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { Call } from '../../calls/call.ts';
import { forEachAtOnce } from '../../calls/for-each.ts';
import { IN_HAND } from '../../calls/run-calls.ts';
import type { CallSession } from '../../calls/session.ts';
import { ZephyrError } from '../../errors.ts';
import { type CallFields, callOf } from '../step-config.ts';

/** Rounds in a row that bring no new opening, before the topics are said to have run dry. */
const DRY_ROUNDS = 3;

const reply = z.object({ messages: z.array(z.string()) });

/**
 * Different opening messages, at least `wanted`: the user's teacher is asked for a list a topic, and, while that is not
 * enough, for more that are not on the list yet.
 */
export async function openingsOf(
  session: CallSession,
  files: string,
  {
    user,
    topics,
    questions_per_topic: count,
  }: { readonly user: CallFields; readonly topics: readonly string[]; readonly questions_per_topic: number },
  wanted: number,
): Promise<{ readonly openings: string[]; readonly unread: number }> {
  const instructions = (await readFile(join(files, 'templates/user-openings.md'), 'utf8')).trim();
  const byTopic = new Map<string, string[]>(topics.map((topic) => [topic, []]));
  const all = new Set<string>();
  let unread = 0;
  for (let round = 1, dry = 0; all.size < wanted; round += 1) {
    const before = all.size;
    const lists = new Map<string, string[]>();
    await forEachAtOnce(byTopic, IN_HAND, async ([topic, written]) => {
      const outcome = await session.ask(openingsCall(user, instructions, topic, count, written, round));
      const list = outcome.ok ? readList(outcome.reply.text) : undefined;
      if (list === undefined) unread += 1;
      lists.set(topic, list ?? []);
    });
    // In the order of the topics, whatever came first.
    for (const [topic, written] of byTopic) {
      for (const text of lists.get(topic) ?? []) {
        if (all.has(text)) continue;
        all.add(text);
        written.push(text);
      }
    }
    dry = all.size === before ? dry + 1 : 0;
    if (dry === DRY_ROUNDS) {
      throw new ZephyrError(`Cannot find ${wanted} different openings: ${topics.length} topics gave ${all.size}`, {
        hint:
          unread > 0
            ? `${unread} replies were no list that can be read; a reply that is cut off is none: raise maxTokens (${user.max_tokens})`
            : 'give more topics or ask for fewer dialogues',
      });
    }
  }
  return { openings: [...all], unread };
}

function openingsCall(
  user: CallFields,
  instructions: string,
  topic: string,
  count: number,
  written: readonly string[],
  round: number,
): Call {
  const already =
    written.length === 0 ? '' : `\n\nWritten already:\n${written.map((text) => `- ${JSON.stringify(text)}`).join('\n')}`;
  const messages = { type: 'array', items: { type: 'string' }, minItems: count, maxItems: count };
  return {
    ...callOf(user, `openings, round ${round}`, [
      { role: 'system', content: instructions },
      { role: 'user', content: `Topic: ${topic}\nMessages to write: ${count}${already}` },
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
