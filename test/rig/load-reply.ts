import { fill, type JsonSchema } from '../../src/practice/schema-fill.ts';

/** As much of a request as decides over its answer. */
export interface LoadBody {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: unknown }[];
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
  readonly logprobs?: boolean;
  readonly store?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly response_format?: { readonly json_schema?: { readonly schema?: Schema } };
}

/** As a program may write one: with definitions that it refers to. */
interface Schema extends JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

const FILLER = 'the same words in every answer, for only their number matters to what a client has to do. ';
/** The heading before each text's ratings in the judge prompts of UltraFeedback and of those who took them over. */
const HEADING = '#### Output for Text ';

/**
 * What the server says, from the content alone, so that the same question gets the same answer after a restart: a value that
 * follows the JSON schema, ratings in UltraFeedback's text form, one digit where log-probabilities are wanted, else prose.
 */
export function loadText(body: LoadBody, digest: string, characters: number): string {
  const { schema } = body.response_format?.json_schema ?? {};
  if (schema !== undefined) return JSON.stringify(load(schema, { root: schema, digest, index: 0 }));
  const last = body.messages.at(-1)?.content;
  if (typeof last === 'string' && last.includes(`${HEADING}1`)) return ultraFeedback(last, digest);
  if (body.logprobs === true) return String(rating(digest, 0));
  const start = `Answer ${digest} of ${body.model}: `;
  return start + FILLER.repeat(Math.ceil(characters / FILLER.length)).slice(0, Math.max(0, characters - start.length));
}

/** 1 to 5, in all four places of a sheet the same only by chance. */
function rating(digest: string, index: number): number {
  return 1 + (Number.parseInt(digest.slice(index % 16, (index % 16) + 4), 16) % 5);
}

interface Place {
  readonly root: Schema;
  readonly digest: string;
  /** of the item in the array around, so that labels differ */
  readonly index: number;
}

function load(schema: Schema, place: Place): unknown {
  return fill(schema, (_, member: Schema) => {
    const name = member.$ref?.split('/').at(-1);
    if (name !== undefined) return load(place.root.$defs?.[name] ?? {}, place);
    if (member.enum !== undefined) return pick(member.enum, place);
    const type = typeof member.type === 'string' ? member.type : member.type?.[0];
    if (type === 'array') {
      const length = member.minItems ?? 4;
      return Array.from({ length }, (_, index) => load(member.items ?? {}, { ...place, index }));
    }
    if (type === 'string') return `Because of ${place.digest.slice(0, 8)}, seen by itself and beside the others.`;
    if (type === 'boolean') return true;
    return type === 'integer' || type === 'number' ? Math.max(rating(place.digest, place.index), member.minimum ?? 1) : undefined;
  });
}

/** Numbers are drawn; words are labels, each in its turn. */
function pick(values: readonly unknown[], { digest, index }: Place): unknown {
  const at = typeof values[0] === 'number' ? Number.parseInt(digest.slice(index % 16, (index % 16) + 4), 16) : index;
  return values[at % values.length];
}

function ultraFeedback(prompt: string, digest: string): string {
  const texts = prompt.split(HEADING).length - 1;
  const typed = prompt.includes('\nType: [');
  const blocks = Array.from({ length: texts }, (_, index) => {
    const rated = `Rating: ${rating(digest, index)}\nRationale: Seen by itself and beside the others.`;
    return `${HEADING}${index + 1}\n${typed ? `Type: 1\nRationale: As its kind is.\n${rated}` : rated}`;
  });
  return blocks.join('\n\n');
}

/** The first token's alternatives, as log-probabilities of the five ratings. */
export function loadLogprobs(text: string): object {
  const alternatives = ['1', '2', '3', '4', '5'].map((token) => ({
    token,
    bytes: null,
    logprob: token === text[0] ? Math.log(0.6) : Math.log(0.1),
  }));
  return { content: [{ token: text[0] ?? '', bytes: null, logprob: Math.log(0.6), top_logprobs: alternatives }], refusal: null };
}
