import { type Conversation, conversationOf, decoded, MESSAGES, type Turn } from './conversation.ts';
import type { Columns, Row } from './parquet.ts';

/** The columns that are read of a row with a better and a worse answer. */
export const PREFERENCE_COLUMNS = [
  'prompt',
  'conversations',
  'question',
  'chosen',
  'rejected',
  'system',
  'system_prompt',
] as const;

/** What a row of pairs may look like, for messages. */
export const PREFERENCE_SHAPES =
  'prompt (or question), chosen and rejected as texts or conversations ({role, content} or {from, value}), or chosen and rejected as whole conversations';

/** The columns of HuggingFaceH4/ultrafeedback_binarized. */
export const PAIR_COLUMNS: Columns = {
  prompt: 'string',
  prompt_id: 'string',
  chosen: MESSAGES,
  rejected: MESSAGES,
  messages: MESSAGES,
  score_chosen: 'double',
  score_rejected: 'double',
  chosen_model: 'string',
  rejected_model: 'string',
  margin: 'double',
};

/** Two dialogues that differ in their last turn alone, or why a row has none, in words that rows are counted by. */
export type Preference =
  | { readonly ok: true; readonly chosen: readonly Turn[]; readonly rejected: readonly Turn[] }
  | { readonly ok: false; readonly reason: string };

/**
 * As TRL has them (huggingface.co/docs/trl/dataset_formats): the answers beside an explicit prompt, as texts or as turns, or
 * both as whole dialogues; then a `prompt` beside them repeats their opening and is left out. A difference before the last
 * turn would have what the user said scored as a part of the answer. scripts/train/row_shapes.py reads the same.
 */
export function preferenceOf(row: Row): Preference {
  const asked = decoded(row.prompt ?? row.conversations ?? row.question ?? undefined);
  const prompt = asked === undefined ? undefined : asTurns(asked, 'user');
  if (prompt?.ok === false) return prompt;
  const system = row.system ?? row.system_prompt ?? '';
  if (typeof system !== 'string') return { ok: false, reason: 'a system prompt that is no text' };
  const [chosen, rejected] = [row.chosen, row.rejected].map((side) =>
    withSystem(system, whole(side, prompt?.turns, typeof asked === 'string')),
  );
  if (chosen?.ok !== true) return chosen ?? NO_PAIR;
  if (rejected?.ok !== true) return rejected ?? NO_PAIR;
  const common = chosen.turns.findIndex((turn, index) => !isSame(turn, rejected.turns[index]));
  if (common < 0 && chosen.turns.length === rejected.turns.length) return { ok: false, reason: 'equal answers' };
  const opening = common < 0 ? chosen.turns : chosen.turns.slice(0, common);
  if (!opening.some(({ role }) => role === 'user')) return { ok: false, reason: 'different prompts' };
  if (chosen.turns.length - opening.length !== 1 || rejected.turns.length - opening.length !== 1)
    return { ok: false, reason: 'answers of more than one message' };
  return { ok: true, chosen: chosen.turns, rejected: rejected.turns };
}

const NO_PAIR = { ok: false, reason: 'no pair of answers' } as const;

/** A system prompt in a column of its own begins a dialogue that has none. */
function withSystem(content: string, said: Conversation): Conversation {
  if (!said.ok || content.trim() === '' || said.turns[0]?.role === 'system') return said;
  return { ok: true, turns: [{ role: 'system', content }, ...said.turns] };
}

/** Prompt and answer as one dialogue that could be trained on. */
function whole(value: unknown, prompt: readonly Turn[] | undefined, isText: boolean): Conversation {
  if (value === undefined || value === null) return NO_PAIR;
  if (prompt === undefined && typeof decoded(value) === 'string')
    return { ok: false, reason: 'answers of text without a prompt' };
  const said = asTurns(value, 'assistant');
  if (!said.ok) return said;
  const turns = said.turns;
  const first = turns.find(({ role }) => role !== 'system')?.role;
  if (prompt === undefined || turns.length === 0) return dialogue(turns);
  if (first !== 'user') return dialogue([...prompt, ...turns]);
  // a text may be the opening in other words: one with its markers, or the last question alone
  const [opening, rest] = [prompt, turns].map((part) => part.filter(({ role }) => role !== 'system')) as [Turn[], Turn[]];
  if (!isText && !opening.every((turn, index) => isSame(turn, rest[index])))
    return { ok: false, reason: 'a prompt that does not begin the answers' };
  return dialogue(turns);
}

/** Plain text is one turn of the role. */
function asTurns(value: unknown, role: Turn['role']): Conversation {
  const told = decoded(value);
  return typeof told === 'string' ? { ok: true, turns: [{ role, content: told }] } : conversationOf(told);
}

/** A system turn if any, then user and assistant in turn, the assistant last. */
function dialogue(all: readonly Turn[]): Conversation {
  const turns = all[0]?.role === 'system' ? all.slice(1) : all;
  const refuse = (reason: string): Conversation => ({ ok: false, reason });
  if (turns.length === 0) return refuse('no turns');
  for (const [index, { role, content }] of turns.entries()) {
    if (content.trim() === '') return refuse('a turn without text');
    if (role === 'system') return refuse('a system turn that is not the first');
    if (role === turns[index - 1]?.role) return refuse(`two ${role} turns in a row`);
  }
  if (turns[0]?.role !== 'user') return refuse('begins with an assistant turn');
  return turns.at(-1)?.role === 'assistant' ? { ok: true, turns: all } : refuse('ends with a user turn');
}

function isSame(a: Turn, b: Turn | undefined): boolean {
  return a.role === b?.role && a.content === b.content;
}
