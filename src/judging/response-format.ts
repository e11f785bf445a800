import type { Call } from '../calls/call.ts';
import { type CallFields, callOf } from '../calls/call-config.ts';
import { labelsFor, questionText } from './question.ts';
import type { JudgeReply, ReadReply } from './reading.ts';

/** One number that a reply has to give: of the text at a position, in an aspect, in a comparison against another text. */
export interface Slot {
  readonly position: number;
  readonly aspect: string;
  readonly against: number | null;
}

/** What a reply gives for a slot; the members are those of a rating row. */
export interface SlotValue {
  readonly rating: number | null;
  readonly value: number | null;
  readonly mass: number | null;
  readonly na: boolean;
  readonly rationale: string | null;
}

/** How a judge is to answer, and how its reply is read. */
export interface ResponseFormat {
  readonly slots: readonly Slot[];
  readonly schema?: NonNullable<Call['schema']>;
  readonly topLogprobs?: number;
  /** tokens of the reply, where the format itself bounds them */
  readonly maxTokens?: number;
  /** One entry for each slot, in their order, or nothing at all. */
  readonly read: (reply: JudgeReply | undefined) => ReadReply<readonly SlotValue[]>;
}

/** What a judge is asked about texts, in the order in which it is to see them. */
export interface JudgeQuestion {
  readonly purpose: string;
  /** the system turn */
  readonly instructions: string;
  readonly prompt: { readonly prompt_id: string; readonly prompt: string };
  readonly texts: readonly string[];
  readonly format: ResponseFormat;
}

/** The question to a judge, the texts under labels that say nothing. */
export function judgeCall(fields: CallFields, { purpose, instructions, prompt, texts, format }: JudgeQuestion): Call {
  const { maxTokens = fields.max_tokens, schema, topLogprobs } = format;
  const messages: Call['messages'] = [
    { role: 'system', content: instructions },
    { role: 'user', content: questionText(prompt, labelsFor(texts.length), texts) },
  ];
  const call = callOf({ ...fields, max_tokens: Math.min(fields.max_tokens, maxTokens) }, purpose, messages, schema);
  return topLogprobs === undefined ? call : { ...call, top_logprobs: topLogprobs };
}
