/** One message of a conversation. */
export interface Turn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** The turns of a conversation, or why they cannot be read, in words that rows are counted by. */
export type Conversation =
  | { readonly ok: true; readonly turns: readonly Turn[] }
  | { readonly ok: false; readonly reason: string };

/** H4's shape of a conversation in Parquet: a list of structs, `content` first. */
export const MESSAGES = { list: ['content', 'role'] } as const;

/** Names of ShareGPT and its likes; scripts/train/messages.py has the same. */
const ROLES: Readonly<Record<string, Turn['role']>> = {
  system: 'system',
  user: 'user',
  human: 'user',
  prompter: 'user',
  assistant: 'assistant',
  gpt: 'assistant',
  chatgpt: 'assistant',
  bing: 'assistant',
  bard: 'assistant',
  model: 'assistant',
};
const PARTS: readonly unknown[] = ['text', 'input_text', 'output_text', undefined, null];

type Members = Readonly<Record<string, unknown>>;

/**
 * Turns in any order from a list of {role, content} or {from, value}, a struct of lists of these, one such turn, or the JSON
 * text of any of them. A text of null is "", and a first system turn without text is as good as none.
 */
export function conversationOf(given: unknown): Conversation {
  const value = decoded(given);
  const list = isMembers(value) ? unzipped(value) : value;
  if (list === undefined) return { ok: false, reason: 'roles and texts of different numbers' };
  if (!Array.isArray(list)) return { ok: false, reason: 'no list of messages' };
  const turns: Turn[] = [];
  for (const message of list) {
    const turn = turnOf(decoded(message));
    if (typeof turn === 'string') return { ok: false, reason: turn };
    turns.push(turn);
  }
  return { ok: true, turns: turns[0]?.role === 'system' && turns[0].content.trim() === '' ? turns.slice(1) : turns };
}

/** A text as it is; of a conversation in any known shape the first user turn. Undefined where there is none. */
export function textOf(value: unknown): string | undefined {
  const told = decoded(value);
  if (typeof told === 'string') return told;
  const found = conversationOf(told);
  return found.ok ? found.turns.find(({ role }) => role === 'user')?.content : undefined;
}

/** Turns that are written as JSON text as what they are; any other text, JSON or not, is left a text. */
export function decoded(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value;
  let read: unknown;
  try {
    read = JSON.parse(value);
  } catch {
    return value;
  }
  const first: unknown = Array.isArray(read) ? read[0] : read;
  return isMembers(first) && ('role' in first || 'from' in first) ? read : value;
}

/** A struct of lists, which `datasets` made of lists of structs for long; or a single turn. */
function unzipped(value: Members): unknown[] | undefined {
  const columns = Object.entries(value).filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]));
  if (!columns.some(([name]) => name === 'role' || name === 'from')) return [value];
  const [length = 0, ...others] = new Set(columns.map(([, members]) => members.length));
  if (others.length > 0) return undefined;
  return Array.from({ length }, (_, index) => Object.fromEntries(columns.map(([name, members]) => [name, members[index]])));
}

/** A turn, or why it is none. */
function turnOf(message: unknown): Turn | string {
  if (!isMembers(message)) return 'no list of messages';
  const named = [message.role, message.from].find((name) => typeof name === 'string');
  if (named === undefined) return 'a turn without a role';
  const role = ROLES[named.toLowerCase()];
  if (role === undefined) return `a turn of the role "${named.slice(0, 40)}"`;
  const content = contentOf(message.content ?? message.value);
  return content === undefined ? 'a turn whose content is no text' : { role, content };
}

/** A text, or the texts of a list of parts one after the other. */
function contentOf(content: unknown): string | undefined {
  if (content === null || content === undefined) return '';
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return undefined;
  const texts = content.map((part: unknown) => (isMembers(part) ? (PARTS.includes(part.type) ? part.text : undefined) : part));
  return texts.every((text): text is string => typeof text === 'string') ? texts.join('') : undefined;
}

function isMembers(value: unknown): value is Members {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
