import type { ChatReply, Price } from '../teachers/teacher.ts';
import type { Call } from './call.ts';
import { QuantileWindow } from './quantile-window.ts';
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

export interface EstimatorOptions {
  /** tokens that the server bills beyond a reply's limit at most; `undefined`: not known */
  readonly reasoningTokens?: number | undefined;
  /** Calls that go out before the first bill, where `reasoningTokens` is not known; once each of them is billed all may go. */
  readonly probes?: number;
}

/** Until the server has said how many tokens it counts. */
const CHARACTERS_PER_TOKEN = 4;
/** Tokens that a chat template puts around a message, as a rule and at most; and around them all, a date for instance. */
const PER_MESSAGE = 4;
const MOST_PER_MESSAGE = 8;
const MOST_AROUND = 32;
/** Replies after which their length is taken to be known. */
const KNOWN_AFTER = 8;
/** Bills after which a server that is asked call by call is taken to have shown what it bills. */
const ENOUGH = 64;
/** Once a server has billed tokens beyond every limit, this many times as many are expected of it. */
const MARGIN = 2;
/** Weight of the latest reply; the first few are averaged. */
const LEARN = 0.05;
/** Most purposes that are told apart; more would be a mistake. */
const MOST_PURPOSES = 256;

/** What a call will take, from what the ones before it took at the same server. */
export class Estimator {
  readonly #options: EstimatorOptions;
  readonly #kinds = new Map<string, { readonly lengths: QuantileWindow; readonly trust: Trust }>();
  readonly #schemas = new WeakMap<object, { readonly characters: number; readonly bytes: number }>();
  /** the most tokens that were billed beyond `mostInput` and `mostOutput` */
  readonly #beyond = { input: 0, output: 0 };
  /** Tokens that the server counts for each that is estimated, and the replies that it is learned from. */
  #ratio = 1;
  #counted = 0;

  constructor(options: EstimatorOptions = {}) {
    this.#options = options;
  }

  /** Output: what 95 % of the replies of this purpose stay below; all that is allowed until a few have come. */
  estimate(call: Call | CallSize): Tokens {
    const { purpose, plainInput, mostOutput } = this.#measured(call);
    const { lengths } = this.#kindOf(purpose);
    const output = lengths.count < KNOWN_AFTER ? mostOutput : Math.min(mostOutput, lengths.value() ?? mostOutput);
    return { input: Math.ceil(plainInput * this.#ratio), output };
  }

  /**
   * What a call may be billed at most, to be set aside before it is sent: every byte a token, the reply as long as it may
   * be, and on top what the recipe says of reasoning, or twice the most that the server has billed beyond these so far.
   */
  most(call: Call | CallSize): Tokens {
    const { mostInput, mostOutput } = this.#measured(call);
    return {
      input: mostInput + MARGIN * this.#beyond.input,
      output: mostOutput + Math.max(this.#options.reasoningTokens ?? 0, MARGIN * this.#beyond.output),
    };
  }

  /** How far `most` can be relied on for calls of this purpose. */
  trust(call: Call | CallSize): Trust {
    return this.#kindOf(call.purpose).trust;
  }

  /** Learns from a reply; returns what it took. */
  learn(call: Call | CallSize, { promptTokens, completionTokens, text }: ChatReply): Used {
    const size = this.#measured(call);
    const allowed = this.most(size);
    const input = promptTokens ?? Math.ceil(size.plainInput * this.#ratio);
    const output = completionTokens ?? Math.ceil(text.length / CHARACTERS_PER_TOKEN);
    if (promptTokens !== undefined) {
      this.#counted += 1;
      this.#ratio += Math.max(LEARN, 1 / this.#counted) * (Math.min(8, promptTokens / size.plainInput) - this.#ratio);
      this.#beyond.input = Math.max(this.#beyond.input, promptTokens - size.mostInput);
    }
    if (completionTokens !== undefined) this.#beyond.output = Math.max(this.#beyond.output, completionTokens - size.mostOutput);
    const kind = this.#kindOf(size.purpose);
    kind.lengths.add(output);
    kind.trust.billed();
    const billed = { input: promptTokens ?? allowed.input, output: completionTokens ?? Math.max(allowed.output, output) };
    return { input, output, billed };
  }

  sizeOf({ purpose, messages, schema, sampling }: Call): CallSize {
    let plainInput = 0;
    let mostInput = MOST_AROUND;
    for (const { content } of messages) {
      plainInput += PER_MESSAGE + content.length / CHARACTERS_PER_TOKEN;
      mostInput += MOST_PER_MESSAGE + Buffer.byteLength(content);
    }
    if (schema !== undefined) {
      const { characters, bytes } = this.#schemaSize(schema);
      plainInput += characters / CHARACTERS_PER_TOKEN;
      mostInput += bytes;
    }
    return { purpose, plainInput, mostInput, mostOutput: sampling.max_tokens };
  }

  #measured(call: Call | CallSize): CallSize {
    return 'plainInput' in call ? call : this.sizeOf(call);
  }

  #kindOf(purpose: string) {
    const name = this.#kinds.has(purpose) || this.#kinds.size < MOST_PURPOSES ? purpose : '';
    const kind = this.#kinds.get(name) ?? { lengths: new QuantileWindow(), trust: this.#newTrust() };
    this.#kinds.set(name, kind);
    return kind;
  }

  #newTrust(): Trust {
    const { reasoningTokens, probes } = this.#options;
    if (reasoningTokens !== undefined) return new Trust(Number.POSITIVE_INFINITY, 0);
    return probes === undefined ? new Trust(1, ENOUGH) : new Trust(probes, probes);
  }

  #schemaSize(schema: object): { readonly characters: number; readonly bytes: number } {
    const found = this.#schemas.get(schema);
    if (found !== undefined) return found;
    const text = JSON.stringify(schema);
    const size = { characters: text.length, bytes: Buffer.byteLength(text) };
    this.#schemas.set(schema, size);
    return size;
  }
}

/** United States dollars; `null` without a price. */
export function dollarsOf({ input, output }: Tokens, price: Price | undefined): number | null {
  return price === undefined ? null : (input * price.input + output * price.output) / 1e6;
}
