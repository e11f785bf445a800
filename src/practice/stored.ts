import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { jsonLine } from '../base/ndjson.ts';

const KEY = 'zephyr_key';

/** A line of the log: one answered call. `completion` is there when the caller asked to have it stored. */
export interface AnsweredCall {
  /** ISO time */
  readonly at: string;
  readonly model: string;
  /** what the caller names the call by, its metadata `zephyr_key`; null without */
  readonly key: string | null;
  readonly completion?: ChatCompletion;
}

/** A chat completion in OpenAI's shape, with what is needed to list it. */
export interface ChatCompletion {
  readonly id: string;
  readonly object: 'chat.completion';
  /** seconds since 1970 */
  readonly created: number;
  readonly model: string;
  readonly choices: readonly unknown[];
  readonly usage: Readonly<Record<string, number>>;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface Stored {
  readonly answered: () => number;
  /** The line is in the file when this returns: an answer on its way is never missing from the log. */
  readonly add: (line: AnsweredCall) => void;
  readonly find: (id: string) => ChatCompletion | undefined;
  /** Newest last. */
  readonly list: (model: string | undefined, metadata: Readonly<Record<string, string>>) => ChatCompletion[];
  readonly close: () => void;
}

/** Answered calls, kept in a file (JSON lines) when one is named, so that they outlive the server. */
export function openStored(path: string | undefined): Stored {
  const completions = new Map<string, ChatCompletion>();
  /** By the key that zephyr gives a call: it is looked up by nothing else. */
  const byKey = new Map<string, ChatCompletion[]>();
  let answered = 0;
  const take = ({ completion }: AnsweredCall) => {
    answered += 1;
    if (completion === undefined) return;
    completions.set(completion.id, completion);
    const key = completion.metadata?.[KEY];
    if (key === undefined) return;
    const same = byKey.get(key);
    if (same === undefined) byKey.set(key, [completion]);
    else same.push(completion);
  };
  const file = path === undefined ? undefined : openSync(path, 'a+');
  if (path !== undefined) {
    const text = readFileSync(path, 'utf8');
    for (const line of text.split('\n')) if (line !== '' && isWhole(line)) take(JSON.parse(line) as AnsweredCall);
    if (file !== undefined && text !== '' && !text.endsWith('\n')) writeSync(file, '\n');
  }
  return {
    answered: () => answered,
    add: (line) => {
      if (file !== undefined) writeSync(file, jsonLine(line));
      take(line);
    },
    find: (id) => completions.get(id),
    list: (model, metadata) =>
      (metadata[KEY] === undefined ? [...completions.values()] : (byKey.get(metadata[KEY]) ?? [])).filter(
        (completion) =>
          (model === undefined || completion.model === model) &&
          Object.entries(metadata).every(([key, value]) => completion.metadata?.[key] === value),
      ),
    close: () => {
      if (file !== undefined) closeSync(file);
    },
  };
}

/** Leaves out a line that a killed server did not finish. */
function isWhole(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
