import type { Call } from '../calls/call.ts';
import { type CallFields, callOf } from '../calls/call-config.ts';
import { labelsFor, questionText } from './question.ts';
import type { JudgeReply, Reading } from './reading.ts';

/** One number that a reply has to give: of the text at a position, in an aspect, in a comparison against another text. */
export interface Cell {
  readonly position: number;
  readonly aspect: string;
  readonly against: number | null;
}

/** What a reply gives for a cell; the members are those of a rating row. */
export interface Found {
  readonly rating: number | null;
  readonly value: number | null;
  readonly mass: number | null;
  readonly na: boolean;
  readonly rationale: string | null;
}

/** How a judge is to answer, and how its answer is read. */
export interface Form {
  readonly cells: readonly Cell[];
  readonly schema?: NonNullable<Call['schema']>;
  readonly topLogprobs?: number;
  /** tokens of the reply, where the form itself bounds them */
  readonly maxTokens?: number;
  /** One entry for each cell, in their order, or nothing at all. */
  readonly read: (reply: JudgeReply | undefined) => Reading<readonly Found[]>;
}

export interface JudgedPrompt {
  readonly prompt_id: string;
  readonly prompt: string;
}

/** The question to the judge about texts in the order in which it is to see them, under labels that say nothing. */
export function judgeCall(
  fields: CallFields,
  purpose: string,
  instructions: string,
  prompt: JudgedPrompt,
  texts: readonly string[],
  form: Form,
): Call {
  const sampling = form.maxTokens === undefined ? fields : { ...fields, max_tokens: Math.min(fields.max_tokens, form.maxTokens) };
  return {
    ...callOf(
      sampling,
      purpose,
      [
        { role: 'system', content: instructions },
        { role: 'user', content: questionText(prompt, labelsFor(texts.length), texts) },
      ],
      form.schema,
    ),
    ...(form.topLogprobs === undefined ? {} : { top_logprobs: form.topLogprobs }),
  };
}
