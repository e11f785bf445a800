import type { ChatReply, Price } from '../teachers/teacher.ts';
import type { Call } from './call.ts';
import { quantileWindow } from './quantile-window.ts';

export interface Tokens {
  readonly input: number;
  readonly output: number;
}

/** As much of a call as an estimate needs: for when the call itself is on the disk. */
export interface CallSize {
  readonly purpose: string;
  /** by its characters alone */
  readonly plainInput: number;
  readonly mostOutput: number;
}

/** What a call will take, from what the ones before it took at the same server. */
export interface Estimator {
  /** Output: what 95 % of the replies of this purpose stay below; all that is allowed until a few have come. */
  estimate(call: Call | CallSize): Tokens;
  /** Learns from a reply; returns what it took, where the server does not say by estimate. */
  learn(call: Call | CallSize, reply: ChatReply): Tokens;
  sizeOf(call: Call): CallSize;
}

/** Until the server has said how many tokens it counts. */
const CHARACTERS_PER_TOKEN = 4;
/** Tokens that every chat template puts around a message, about. */
const PER_MESSAGE = 4;
/** Replies after which their length is taken to be known. */
const KNOWN_AFTER = 8;
/** Weight of the latest reply; the first few are averaged. */
const LEARN = 0.05;
/** Purposes that are told apart; more would be a mistake. */
const MOST_PURPOSES = 256;

export function estimator(): Estimator {
  const lengths = new Map<string, ReturnType<typeof quantileWindow>>();
  const schemaTokens = new WeakMap<object, number>();
  let ratio = 1;
  let counted = 0;

  function windowOf(purpose: string): ReturnType<typeof quantileWindow> {
    const name = lengths.has(purpose) || lengths.size < MOST_PURPOSES ? purpose : '';
    const window = lengths.get(name) ?? quantileWindow();
    lengths.set(name, window);
    return window;
  }

  /** By its characters alone. */
  function plainInput({ messages, schema }: Call): number {
    let tokens = 0;
    for (const { content } of messages) tokens += PER_MESSAGE + content.length / CHARACTERS_PER_TOKEN;
    if (schema === undefined) return tokens;
    const found = schemaTokens.get(schema) ?? JSON.stringify(schema).length / CHARACTERS_PER_TOKEN;
    schemaTokens.set(schema, found);
    return tokens + found;
  }

  function sizeOf(call: Call): CallSize {
    return { purpose: call.purpose, plainInput: plainInput(call), mostOutput: call.sampling.max_tokens };
  }

  return {
    sizeOf,
    estimate(call) {
      const { purpose, plainInput: plain, mostOutput: most } = 'plainInput' in call ? call : sizeOf(call);
      const window = windowOf(purpose);
      const output = window.count < KNOWN_AFTER ? most : Math.min(most, window.value() ?? most);
      return { input: Math.ceil(plain * ratio), output };
    },
    learn(call, { promptTokens, completionTokens, text }) {
      const { purpose, plainInput: plain } = 'plainInput' in call ? call : sizeOf(call);
      const input = promptTokens > 0 ? promptTokens : Math.ceil(plain * ratio);
      const output = completionTokens > 0 ? completionTokens : Math.ceil(text.length / CHARACTERS_PER_TOKEN);
      if (promptTokens > 0) {
        counted += 1;
        ratio += Math.max(LEARN, 1 / counted) * (Math.min(8, promptTokens / plain) - ratio);
      }
      windowOf(purpose).add(output);
      return { input, output };
    },
  };
}

/** United States dollars; `null` without a price. */
export function dollarsOf({ input, output }: Tokens, price: Price | undefined): number | null {
  return price === undefined ? null : (input * price.input + output * price.output) / 1e6;
}
