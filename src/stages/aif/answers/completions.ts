import { hmacOrder } from '../../../base/hmac-choice.ts';
import { sha256 } from '../../../base/sha256.ts';
import type { ChatReply } from '../../../teachers/teacher.ts';
import { flagsOf } from '../../flags.ts';
import type { Completion, Prompt } from '../tables.ts';
import type { AnswerLine } from './answer-files.ts';
import type { Assignment } from './assignments.ts';

/** How a member samples, and what it is. */
export interface Answerer {
  readonly model: string;
  /** null where it is left to the server */
  readonly temperature: number | null;
  readonly top_p: number | null;
  readonly max_tokens: number;
}

/** What became of an assignment: a teacher's reply with the call that it answers, or a line of a job, or nothing. */
export interface Given {
  readonly assignment: Assignment;
  readonly by: Answerer;
  readonly key: string | null;
  readonly reply: ChatReply | undefined;
  readonly costUsd: number | null;
  readonly line: AnswerLine | undefined;
}

/** The rows of one prompt. Of answers with the same words all but one, drawn by seed, are marked as duplicates. */
export function completionsOf(prompt: Prompt, given: readonly Given[], seed: number): Completion[] {
  const rows = given.map((each) => completion(prompt, each));
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { completion_id, text } of hmacOrder(seed, 'duplicates', rows, ({ completion_id }) => completion_id)) {
    const words = text.replaceAll(/\s+/g, ' ').trim();
    if (words === '') continue;
    if (seen.has(words)) repeated.add(completion_id);
    seen.add(words);
  }
  return rows.map((row) => (repeated.has(row.completion_id) ? { ...row, flags: [...row.flags, 'duplicate'] } : row));
}

function completion({ prompt_id, prompt, source }: Prompt, { assignment, by, key, reply, costUsd, line }: Given): Completion {
  const common = {
    completion_id: assignment.id,
    prompt_id,
    prompt,
    source,
    member: assignment.member,
    model: by.model,
    principle: assignment.principle ?? null,
    principle_sha256: assignment.wording === undefined ? null : sha256(assignment.wording),
    temperature: by.temperature,
    top_p: by.top_p,
    max_tokens: by.max_tokens,
    call_key: key,
  };
  if (reply !== undefined)
    return {
      ...common,
      // a lone surrogate has no UTF-8, and what is judged now must be what is read later
      text: reply.text.toWellFormed(),
      finish_reason: reply.finishReason,
      prompt_tokens: reply.promptTokens ?? null,
      completion_tokens: reply.completionTokens ?? null,
      cost_usd: costUsd,
      flags: flagsOf(reply),
    };
  if (line !== undefined)
    return {
      ...common,
      text: line.text.toWellFormed(),
      finish_reason: line.finish_reason,
      prompt_tokens: null,
      completion_tokens: line.tokens ?? null,
      cost_usd: null,
      flags: flagsOf({ text: line.text, finishReason: line.finish_reason, refusal: undefined }),
    };
  const nothing = { text: '', finish_reason: 'none', prompt_tokens: null, completion_tokens: null, cost_usd: null };
  return { ...common, ...nothing, flags: ['missing'] };
}
