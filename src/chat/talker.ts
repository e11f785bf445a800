import * as z from 'zod';
import type { TalkingProgram } from '../backends/scheduler.ts';
import { ZephyrError } from '../errors.ts';

export interface ChatTurn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface Draws {
  /** null: as the model says */
  readonly temperature: number | null;
  readonly topP: number | null;
  readonly maxTokens: number | null;
  readonly seed: number;
}

/** What came of a question. */
export type Outcome =
  /** `stop`: the model ended its turn; `length`: the tokens asked for; `context`: no room left; `stopped`: by the user */
  | {
      readonly end: 'stop' | 'length' | 'context' | 'stopped';
      readonly text: string;
      readonly tokens: number;
      readonly promptTokens: number;
    }
  /** The dialogue leaves no room for an answer, and is not cut. */
  | { readonly end: 'too-long'; readonly promptTokens: number; readonly context: number }
  | { readonly end: 'refused'; readonly why: string };

/** A line of scripts/train/chat.py. */
const line = z.union([
  z.strictObject({ ready: z.strictObject({ context: z.int().positive().nullable(), temperature: z.number() }) }),
  z.strictObject({ failed: z.string() }),
  z.strictObject({ id: z.int(), prompt_tokens: z.int() }),
  z.strictObject({ id: z.int(), text: z.string() }),
  z.strictObject({ id: z.int(), end: z.enum(['stop', 'length', 'context', 'stopped']), tokens: z.int() }),
  z.strictObject({ id: z.int(), too_long: z.int() }),
  z.strictObject({ id: z.int(), refused: z.string() }),
]);
type ProgramLine = z.infer<typeof line>;

export interface Listener {
  /** Aborted, the answer ends where it is. */
  readonly signal: AbortSignal;
  readonly onText: (text: string) => void;
}

/** A model in the memory of a program that answers one question after another. */
export interface Talker {
  /** how its user calls it */
  readonly name: string;
  /** tokens of prompt and answer together; null where the model names no end */
  readonly context: number | null;
  /** that it samples at unless it is asked for another; 0: the likeliest token */
  readonly temperature: number;
  readonly ask: (turns: readonly ChatTurn[], sampling: Draws, asking: Listener) => Promise<Outcome>;
  readonly close: () => Promise<void>;
}

interface Loading {
  readonly name: string;
  /** of the model, relative to the program's folder */
  readonly model: string;
  readonly device: 'cpu' | 'cuda';
  readonly threads: number;
}

/** Loads the model in a program that was started; throws a `ZephyrError` where it cannot be. */
export async function openTalker(conversation: TalkingProgram, { name, ...opening }: Loading): Promise<Talker> {
  const lines = conversation.lines[Symbol.asyncIterator]();
  const next = async (): Promise<ProgramLine> => {
    const { value, done } = await lines.next();
    if (done === true) throw gone(name, await conversation.lastWords);
    return line.parse(JSON.parse(value));
  };
  conversation.send(opening);
  const first = await next();
  if (!('ready' in first))
    throw new ZephyrError(`Cannot load "${name}": ${'failed' in first ? first.failed : JSON.stringify(first)}`, {
      exit: 'preflight',
      hint: 'zephyr inspect ID shows what it holds',
    });
  const { context, temperature } = first.ready;
  let id = 0;
  return {
    name,
    context,
    temperature,
    close: conversation.close,
    ask: async (messages, { temperature: heat, topP, maxTokens, seed }, { signal, onText }) => {
      id += 1;
      const stop = (): void => conversation.send({ stop: id });
      conversation.send({ id, messages, max_tokens: maxTokens, temperature: heat, top_p: topP, seed });
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop, { once: true });
      try {
        return await answer(next, context ?? 0, onText);
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
  };
}

async function answer(next: () => Promise<ProgramLine>, context: number, onText: (text: string) => void): Promise<Outcome> {
  let text = '';
  let promptTokens = 0;
  for (;;) {
    const said = await next();
    if ('text' in said) {
      // the first token of a word brings the space before it along
      const piece = text === '' ? said.text.trimStart() : said.text;
      text += piece;
      onText(piece);
    } else if ('prompt_tokens' in said) promptTokens = said.prompt_tokens;
    else if ('end' in said) return { end: said.end, text, tokens: said.tokens, promptTokens };
    else if ('too_long' in said) return { end: 'too-long', promptTokens: said.too_long, context };
    else if ('refused' in said) return { end: 'refused', why: said.refused };
  }
}

function gone(name: string, lastWords: string): ZephyrError {
  return new ZephyrError(`Cannot talk with "${name}" any more: its program ended (${lastWords})`, {
    exit: 'jobFailed',
    hint: 'the model may need more memory than there is',
  });
}
