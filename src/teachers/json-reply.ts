/** The JSON text of a reply, and what it says. */
export interface JsonReply {
  readonly json: string;
  readonly value: unknown;
}

/** Thoughts that a server leaves in front of the reply; some chat templates have written the opening tag into the prompt. */
const THOUGHTS = /^(?:<(think|thinking|thought|reasoning)>[\s\S]*?<\/\1>|[^{}]*?<\/think>)/;

/** One Markdown fence that holds an object, and words around it that hold none. */
const FENCED = /^(?<before>[^{}]*?)(?<fence>`{3,}|~{3,})[ \t]*[\w+.-]*\s*(?<json>\{[\s\S]*\})\s*\k<fence>(?<after>[^{}]*)$/;
const FENCE = /`{3}|~{3}/;

/**
 * The one JSON text that a reply is, be it in a Markdown fence, as models write it that no server holds to a schema;
 * thoughts in front, a byte order mark and blanks aside. `undefined` where it is none, or where it might be one of two:
 * two fences, an object beside a fence, an object among words.
 */
export function jsonIn(reply: string): JsonReply | undefined {
  const text = bare(reply);
  const whole = parsed(text) ?? parsed(bare(text.replace(THOUGHTS, '')));
  if (whole !== undefined) return whole;
  const { before = '', json = '', after = '' } = FENCED.exec(bare(text.replace(THOUGHTS, '')))?.groups ?? {};
  return FENCE.test(before) || FENCE.test(after) ? undefined : parsed(json);
}

function bare(text: string): string {
  // A byte order mark counts as a blank here.
  return text.trim();
}

function parsed(json: string): JsonReply | undefined {
  try {
    return { json, value: JSON.parse(json) as unknown };
  } catch {
    return undefined;
  }
}
