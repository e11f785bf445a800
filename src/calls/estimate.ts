import type { ChatReply, Price } from '../teachers/teacher.ts';
import type { Call } from './call.ts';
import { quantileWindow } from './quantile-window.ts';
import { Trust } from './trust.ts';

export interface Tokens {
  readonly input: number;
  readonly output: number;
}

/** What a call took, the server's limits in mind: where it does not say, by estimate. */
export interface Used extends Tokens {
  /** What it is taken to cost: where the server does not say what it took, all that it may have taken. */
  readonly billed: Tokens;
}

/** As much of a call as an estimate needs: for when the call itself is on the disk. */
export interface CallSize {
  readonly purpose: string;
  /** by its characters alone */
  readonly plainInput: number;
  /** a token being a byte at least, and the chat template's around it */
  readonly mostInput: number;
  readonly mostOutput: number;
}

/** What a call will take, from what the ones before it took at the same server. */
export interface Estimator {
  /** Output: what 95 % of the replies of this purpose stay below; all that is allowed until a few have come. */
  estimate(call: Call | CallSize): Tokens;
  /**
   * What a call may be billed at most, to be set aside before it is sent: every byte a token, the reply as long as it may
   * be, and on top what the recipe says of reasoning, or twice the most that the server has billed beyond these so far.
   */
  most(call: Call | CallSize): Tokens;
  /** How far `most` can be relied on for calls of this purpose. */
  trust(call: Call | CallSize): Trust;
  /** Learns from a reply; returns what it took. */
  learn(call: Call | CallSize, reply: ChatReply): Used;
  sizeOf(call: Call): CallSize;
}

export interface EstimatorOptions {
  /** tokens that the server bills beyond a reply's limit at most; `undefined`: nobody knows */
  readonly reasoningTokens?: number | undefined;
  /** Calls that go out before the first bill is known, where nobody knows; after a bill for each of them all may go. */
  readonly probes?: number;
}

/** Until the server has said how many tokens it counts. */
const CHARACTERS_PER_TOKEN = 4;
/** Tokens that every chat template puts around a message, about, and at most; and around them all, a date for instance. */
const PER_MESSAGE = 4;
const MOST_PER_MESSAGE = 8;
const MOST_AROUND = 32;
/** Replies after which their length is taken to be known. */
const KNOWN_AFTER = 8;
/** Bills after which a server that is asked call by call is taken to have shown what it bills. */
const ENOUGH = 64;
/** What was billed beyond every limit once may be billed so many times over. */
const MARGIN = 2;
/** Weight of the latest reply; the first few are averaged. */
const LEARN = 0.05;
/** Purposes that are told apart; more would be a mistake. */
const MOST_PURPOSES = 256;

export function estimator({ reasoningTokens, probes }: EstimatorOptions = {}): Estimator {
  const kinds = new Map<string, { readonly lengths: ReturnType<typeof quantileWindow>; readonly trust: Trust }>();
  const schemas = new WeakMap<object, { readonly characters: number; readonly bytes: number }>();
  /** the most tokens that were billed beyond `mostInput` and `mostOutput` */
  const beyond = { input: 0, output: 0 };
  let ratio = 1;
  let counted = 0;

  function kindOf(purpose: string) {
    const name = kinds.has(purpose) || kinds.size < MOST_PURPOSES ? purpose : '';
    const kind = kinds.get(name) ?? { lengths: quantileWindow(), trust: newTrust() };
    kinds.set(name, kind);
    return kind;
  }

  function newTrust(): Trust {
    if (reasoningTokens !== undefined) return new Trust(Number.POSITIVE_INFINITY, 0);
    return probes === undefined ? new Trust(1, ENOUGH) : new Trust(probes, probes);
  }

  function schemaSize(schema: object) {
    const found = schemas.get(schema);
    if (found !== undefined) return found;
    const text = JSON.stringify(schema);
    const size = { characters: text.length, bytes: Buffer.byteLength(text) };
    schemas.set(schema, size);
    return size;
  }

  function sizeOf({ purpose, messages, schema, sampling }: Call): CallSize {
    let plainInput = 0;
    let mostInput = MOST_AROUND;
    for (const { content } of messages) {
      plainInput += PER_MESSAGE + content.length / CHARACTERS_PER_TOKEN;
      mostInput += MOST_PER_MESSAGE + Buffer.byteLength(content);
    }
    if (schema !== undefined) {
      const { characters, bytes } = schemaSize(schema);
      plainInput += characters / CHARACTERS_PER_TOKEN;
      mostInput += bytes;
    }
    return { purpose, plainInput, mostInput, mostOutput: sampling.max_tokens };
  }

  const measured = (call: Call | CallSize): CallSize => ('plainInput' in call ? call : sizeOf(call));

  function most({ mostInput, mostOutput }: CallSize): Tokens {
    return {
      input: mostInput + MARGIN * beyond.input,
      output: mostOutput + Math.max(reasoningTokens ?? 0, MARGIN * beyond.output),
    };
  }

  return {
    sizeOf,
    estimate(call) {
      const { purpose, plainInput: plain, mostOutput: most } = measured(call);
      const { lengths } = kindOf(purpose);
      const output = lengths.count < KNOWN_AFTER ? most : Math.min(most, lengths.value() ?? most);
      return { input: Math.ceil(plain * ratio), output };
    },
    most: (call) => most(measured(call)),
    trust: (call) => kindOf(call.purpose).trust,
    learn(call, { promptTokens, completionTokens, text }) {
      const size = measured(call);
      const allowed = most(size);
      const input = promptTokens ?? Math.ceil(size.plainInput * ratio);
      const output = completionTokens ?? Math.ceil(text.length / CHARACTERS_PER_TOKEN);
      if (promptTokens !== undefined) {
        counted += 1;
        ratio += Math.max(LEARN, 1 / counted) * (Math.min(8, promptTokens / size.plainInput) - ratio);
        beyond.input = Math.max(beyond.input, promptTokens - size.mostInput);
      }
      if (completionTokens !== undefined) beyond.output = Math.max(beyond.output, completionTokens - size.mostOutput);
      const kind = kindOf(size.purpose);
      kind.lengths.add(output);
      kind.trust.billed();
      const billed = { input: promptTokens ?? allowed.input, output: completionTokens ?? Math.max(allowed.output, output) };
      return { input, output, billed };
    },
  };
}

/** United States dollars; `null` without a price. */
export function dollarsOf({ input, output }: Tokens, price: Price | undefined): number | null {
  return price === undefined ? null : (input * price.input + output * price.output) / 1e6;
}
