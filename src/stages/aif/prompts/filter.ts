import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { counter, countsInWords } from '../../../base/counter.ts';
import { textOf } from '../../../datasets/conversation.ts';
import { openLineFile } from '../../../datasets/line-file.ts';
import { estimateTokens, folded } from '../../../datasets/words.ts';
import { ZephyrError } from '../../../errors.ts';
import { MAX_DROPPED } from '../../data-spec.ts';
import { promptId } from '../../step-config.ts';
import type { Contamination } from './contamination.ts';
import { PromptStore } from './prompt-store.ts';
import type { PromptsConfig } from './step.ts';

/** A row of a source, as it was read. */
export interface IncomingRow {
  /** index of its source in the recipe */
  readonly entry: number;
  /** `train.jsonl, line 3` */
  readonly at: string;
  /** `undefined` for a line that is no JSON object */
  readonly prompt: unknown;
  readonly prompt_id?: unknown;
  readonly source?: unknown;
  /** of a row without the column of the prompt: what it has */
  readonly columns?: readonly string[];
  /** what a malformed line says */
  readonly text?: string;
}

/** An error names faulty rows up to this number. */
const NAMED = 20;
/** Characters of a rejected row that are kept. */
const SHOWN = 500;
const LONGEST_ID = 256;
const NO_PROMPT: readonly string[] = ['malformed', 'no text', 'empty', 'not valid text'];

/** Checks every prompt alone: readable, not empty, not too long, new, in no benchmark. Those that pass are in `store`. */
export class PromptFilter {
  readonly store: PromptStore;
  /** left out, by reason */
  readonly dropped = counter();
  readonly bySource = new Map<string, { entry: number; read: number }>();
  readonly #config: PromptsConfig;
  readonly #benchmarks: Contamination;
  readonly #rejects: ReturnType<typeof openLineFile>;
  readonly #hits: ReturnType<typeof openLineFile>;
  readonly #contaminated = new Map<string, ReturnType<typeof counter>>();
  /** by 128 bits of the folded text */
  readonly #numbers = new Map<string, number>();
  /** rows that could not be read, and the first of them */
  #faults = 0;
  readonly #faulty: string[] = [];
  /** rows without the column of the prompt, by source of the recipe, and what the first of them has */
  readonly #without = new Map<number, { rows: number; readonly columns: readonly string[] }>();

  constructor(config: PromptsConfig, benchmarks: Contamination, out: string) {
    this.#config = config;
    this.#benchmarks = benchmarks;
    this.store = new PromptStore(join(out, '.candidates'));
    this.#rejects = openLineFile(join(out, 'rejects.jsonl'));
    this.#hits = openLineFile(join(out, 'contamination.jsonl'));
  }

  take(row: IncomingRow): void {
    const reason = this.#leftOut(row, this.#countSource(row));
    if (reason !== undefined) this.dropped.add(reason);
  }

  /** Stores the prompt of a row, or says why it is left out. */
  #leftOut(row: IncomingRow, source: string): string | undefined {
    const named = this.#config.sources[row.entry]?.name ?? '';
    if (this.#config.drop_sources.some((name) => name === source || name === named)) return `source ${source}`;
    const prompt = textOf(row.prompt);
    if (prompt === undefined) return this.#noteFault(row, source);
    const reason = unusable(prompt, this.#config);
    if (reason !== undefined) return this.#reject(row, source, reason, prompt);
    const name = createHash('sha256').update(folded(prompt)).digest().toString('latin1', 0, 16);
    const same = this.#numbers.get(name);
    if (same !== undefined) {
      this.store.merge(same);
      return 'duplicate';
    }
    const prompt_id = this.#idOf(row.prompt_id, prompt);
    if (this.#isContaminated(prompt, prompt_id, source) && this.#config.contaminated === 'drop') return 'in a benchmark';
    this.#numbers.set(name, this.store.add({ prompt_id, source, entry: row.entry }, prompt));
    return undefined;
  }

  /** Prompts with an item of a benchmark, by source and benchmark. */
  contaminated(): Record<string, Record<string, number>> {
    return Object.fromEntries([...this.#contaminated].map(([source, counts]) => [source, counts.counts()]));
  }

  /** Throws when rows could not be read and may not be skipped; the message names the first of them. */
  close(): void {
    this.#rejects.close();
    this.#hits.close();
    this.#refuseColumns();
    const read = [...this.bySource.values()].reduce((sum, each) => sum + each.read, 0);
    if (this.#faults > 0 && !this.#config.skip_invalid) {
      const more = this.#faults > NAMED ? ` and ${this.#faults - NAMED} more` : '';
      throw new ZephyrError(
        `Cannot read ${this.#faults} of ${read} prompts: expected JSON objects with text, or messages with a user turn, as the prompt`,
        { hint: `Faulty: ${this.#faulty.join('; ')}${more}. aif.prompts.skipInvalid: true goes on without them.` },
      );
    }
    this.#refuseMany(read);
  }

  /** The source that a row is counted under: its own, else that of the recipe. */
  #countSource({ entry, source }: IncomingRow): string {
    const name = typeof source === 'string' && source !== '' ? source : (this.#config.sources[entry]?.name ?? '');
    const seen = this.bySource.get(name);
    if (seen === undefined) this.bySource.set(name, { entry, read: 1 });
    else seen.read += 1;
    return name;
  }

  #noteFault(row: IncomingRow, source: string): string {
    const { entry, at, columns, text } = row;
    this.#faults += 1;
    if (columns !== undefined) {
      const seen = this.#without.get(entry) ?? { rows: 0, columns };
      seen.rows += 1;
      this.#without.set(entry, seen);
    }
    if (this.#faulty.length < NAMED) this.#faulty.push(`${this.#config.sources[entry]?.name}: ${at}`);
    if (text !== undefined) return this.#reject(row, source, 'malformed', text);
    const shown = JSON.stringify(row.prompt ?? null, (_, value) => (typeof value === 'bigint' ? Number(value) : value));
    return this.#reject(row, source, 'no text', shown);
  }

  /** Returns the reason. */
  #reject({ at }: IncomingRow, source: string, reason: string, text: string): string {
    this.#rejects.add({ source, at, reason, text: text.slice(0, SHOWN) });
    return reason;
  }

  #idOf(given: unknown, prompt: string): string {
    const own = typeof given === 'string' && given !== '' && given.length <= LONGEST_ID && given.isWellFormed() ? [given] : [];
    // a given id may stand for two prompts, and may be the digest of another one
    return [...own, promptId(prompt), promptId(`again ${prompt}`)].find((id) => !this.store.has(id)) as string;
  }

  #isContaminated(prompt: string, prompt_id: string, source: string): boolean {
    const found = this.#benchmarks.find(prompt);
    if (found.length === 0) return false;
    const counts = this.#contaminated.get(source) ?? counter();
    this.#contaminated.set(source, counts);
    for (const { benchmark, row, ngram } of found) {
      counts.add(benchmark);
      this.#hits.add({ prompt_id, source, benchmark, row, ngram });
    }
    return true;
  }

  /** A column that no row of a source has is a mistake of the recipe, whether rows may be skipped or not. */
  #refuseColumns(): void {
    for (const [entry, { rows, columns }] of this.#without) {
      const all = [...this.bySource.values()].reduce((sum, each) => sum + (each.entry === entry ? each.read : 0), 0);
      const { name, column } = this.#config.sources[entry] as PromptsConfig['sources'][number];
      if (rows < all) continue;
      throw new ZephyrError(`Cannot read source "${name}": expected a column "${column}", no row has one`, {
        hint: `rows have ${columns.join(', ')}; name one in aif.prompts.sources.${entry}.column`,
      });
    }
  }

  /** Counts the rows that are no prompts, not those that the recipe's own bounds leave out. */
  #refuseMany(read: number): void {
    const counts = Object.fromEntries(Object.entries(this.dropped.counts()).filter(([reason]) => NO_PROMPT.includes(reason)));
    const unusable = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const most = this.#config.max_dropped ?? MAX_DROPPED;
    if (unusable === read || unusable <= most * read) return;
    throw new ZephyrError(`Cannot take the prompts: ${unusable} of ${read} rows hold none (${countsInWords(counts)})`, {
      hint: `at most ${most} of the rows may be left out; aif.prompts.maxDropped sets another share`,
    });
  }
}

/** Why a text cannot be a prompt. */
function unusable(prompt: string, { max_characters, max_tokens }: PromptsConfig): string | undefined {
  if (prompt.trim() === '') return 'empty';
  // U+FFFD is what readers make of bytes that are no UTF-8
  if (!prompt.isWellFormed() || prompt.includes('\uFFFD') || prompt.includes('\0')) return 'not valid text';
  return prompt.length > max_characters || estimateTokens(prompt) > max_tokens ? 'too long' : undefined;
}
