import { randomInt } from 'node:crypto';
import { text as readAll } from 'node:stream/consumers';
import type { Draws } from '../chat/talker.ts';
import { ZephyrError } from '../errors.ts';
import { hasTerminal } from './confirm.ts';
import type { Options } from './context.ts';

export interface ChatOptions extends Options {
  readonly prompt?: string;
  readonly system?: string;
  readonly compare?: string;
  readonly temperature?: string;
  readonly topP?: string;
  readonly maxTokens?: string;
  readonly seed?: string;
}

/** The one question of `--prompt` or of a pipe; undefined where somebody is there to talk. */
export async function questionOf({ prompt, json }: ChatOptions): Promise<string | undefined> {
  if (prompt === undefined && hasTerminal()) {
    if (json !== true) return undefined;
    throw new ZephyrError('Cannot talk in JSON: expected one question', { hint: 'ask it with --prompt TEXT, or through a pipe' });
  }
  const question = (prompt ?? (await readAll(process.stdin))).trim();
  if (question !== '') return question;
  throw new ZephyrError(`Cannot answer nothing: ${prompt === undefined ? 'stdin' : '--prompt'} holds no text`, {
    hint: 'ask with --prompt TEXT, through a pipe, or on a terminal',
  });
}

/** How the answer to each question in turn is drawn: by a seed of its own, which follows from `--seed` where that is given. */
export function samplingOf(options: ChatOptions): (question: number) => Draws {
  const maxTokens = number(
    options.maxTokens,
    '--max-tokens',
    'a whole number from 1',
    (value) => Number.isInteger(value) && value > 0,
  );
  const temperature = number(options.temperature, '--temperature', 'a number from 0', (value) => value >= 0);
  const topP = number(options.topP, '--top-p', 'a number above 0 and at most 1', (value) => value > 0 && value <= 1);
  const seed = number(options.seed, '--seed', 'a whole number from 0', (value) => Number.isInteger(value) && value >= 0);
  const first = seed ?? randomInt(2 ** 31);
  return (question) => ({ temperature, topP, maxTokens, seed: first + question });
}

function number(text: string | undefined, flag: string, expected: string, fits: (value: number) => boolean): number | null {
  if (text === undefined) return null;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value) && value < 2 ** 32 && fits(value)) return value;
  throw new ZephyrError(`Cannot use ${flag} "${text}": expected ${expected}`);
}
