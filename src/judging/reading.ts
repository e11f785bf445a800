import type * as z from 'zod';
import { finishOf } from '../teachers/finish.ts';
import { jsonIn } from '../teachers/json-reply.ts';
import type { ChatReply } from '../teachers/teacher.ts';
import type { RatingStatus } from './rating.ts';

/** The parts of a judge's reply that are read. */
export type JudgeReply = Pick<ChatReply, 'text' | 'finishReason' | 'refusal'> & Partial<Pick<ChatReply, 'alternatives'>>;

export type Unread = { readonly ok: false; readonly status: Exclude<RatingStatus, 'ok'>; readonly why: string };
/** What a reply says, or why there is nothing to read. */
export type ReadReply<T> = { readonly ok: true; readonly found: T } | Unread;

/** Longer rationales are cut, since they were not asked for; the call log keeps the whole reply. */
const RATIONALE_CHARACTERS = 300;

export const invalid = (why: string): Unread => ({ ok: false, status: 'invalid', why });

/** Why a reply cannot be read, its text aside; `undefined` when it may be. */
export function unreadable(reply: JudgeReply | undefined): Unread | undefined {
  if (reply === undefined) return { ok: false, status: 'missing', why: 'no reply' };
  if (reply.refusal !== undefined || finishOf(reply.finishReason) === 'refused')
    return { ok: false, status: 'refused', why: 'the judge refuses' };
  return undefined;
}

/**
 * A whole reply as JSON of exactly this shape: nothing cut off, no member twice, none that was not asked for. A reply of
 * the whole shape was not cut, so a server that does not say how the reply ended is believed.
 */
export function readJson<T>(reply: JudgeReply | undefined, shape: z.ZodType<T>): ReadReply<T> {
  const closed = unreadable(reply);
  if (closed !== undefined || reply === undefined) return closed ?? invalid('no reply');
  const finish = finishOf(reply.finishReason);
  if (finish !== 'normal' && finish !== 'unknown') return invalid(`the reply ended with "${reply.finishReason}"`);
  const said = jsonIn(reply.text);
  const parsed = shape.safeParse(said?.value);
  if (said === undefined || !parsed.success) return invalid('the reply is not the JSON that was asked for');
  return membersIn(said.json) === membersOf(said.value) ? { ok: true, found: parsed.data } : invalid('a member twice');
}

export function cutRationale(rationale: string): string {
  return rationale.length <= RATIONALE_CHARACTERS ? rationale : [...rationale].slice(0, RATIONALE_CHARACTERS).join('');
}

/** Members written in a JSON text. `JSON.parse` keeps the last of two members of one name and says nothing. */
function membersIn(json: string): number {
  let count = 0;
  for (const [, colon] of json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) if (colon !== undefined) count += 1;
  return count;
}

function membersOf(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0;
  const members = Object.values(value);
  return members.reduce<number>((sum, member) => sum + membersOf(member), Array.isArray(value) ? 0 : members.length);
}
