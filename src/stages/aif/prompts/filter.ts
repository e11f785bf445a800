import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { counter, countsInWords } from '../../../base/counter.ts';
import { textOf } from '../../../datasets/conversation.ts';
import { type LineFile, openLineFile } from '../../../datasets/line-file.ts';
import { estimateTokens, folded } from '../../../datasets/words.ts';
import { ZephyrError } from '../../../errors.ts';
import { MAX_DROPPED } from '../../data-spec.ts';
import { promptId } from '../../step-config.ts';
import type { Contamination } from './contamination.ts';
import { type Candidates, openCandidates } from './prompt-store.ts';
import type { PromptsConfig } from './step.ts';

/** One row on its way in. */
export interface Incoming {
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

export interface Sieve {
  take(row: Incoming): void;
  readonly candidates: Candidates;
  /** Dropped prompts by reason, of all sources and of each. */
  readonly dropped: ReturnType<typeof counter>;
  readonly bySource: ReadonlyMap<string, { entry: number; read: number }>;
  /** Prompts with an item of a benchmark, by source and benchmark. */
  readonly contaminated: () => Record<string, Record<string, number>>;
  /** Throws when rows could not be read and may not be skipped; the message names the first of them. */
  close(): void;
}

/** As many faulty rows are named in an error. */
const NAMED = 20;
/** Characters of a rejected row that are kept. */
const SHOWN = 500;
const LONGEST_ID = 256;
const NO_PROMPT: readonly string[] = ['malformed', 'no text', 'empty', 'not valid text'];

/** Looks at every prompt alone: readable, not empty, not too long, new, in no benchmark. What is left is a candidate. */
export function openSieve(config: PromptsConfig, benchmarks: Contamination, out: string): Sieve {
  const candidates = openCandidates(join(out, '.candidates'));
  const rejects = openLineFile(join(out, 'rejects.jsonl'));
  const hits = openLineFile(join(out, 'contamination.jsonl'));
  const dropped = counter();
  const bySource = new Map<string, { entry: number; read: number }>();
  const contaminated = new Map<string, ReturnType<typeof counter>>();
  /** by 128 bits of the folded text */
  const numbers = new Map<string, number>();
  const faulty: string[] = [];
  /** rows without the column of the prompt, by source of the recipe, and what the first of them has */
  const without = new Map<number, { rows: number; readonly columns: readonly string[] }>();
  let faults = 0;

  function sourceOf({ entry, source }: Incoming): string {
    const name = typeof source === 'string' && source !== '' ? source : (config.sources[entry]?.name ?? '');
    const seen = bySource.get(name);
    if (seen === undefined) bySource.set(name, { entry, read: 1 });
    else seen.read += 1;
    return name;
  }
  function idOf(given: unknown, prompt: string): string {
    const own = typeof given === 'string' && given !== '' && given.length <= LONGEST_ID && given.isWellFormed() ? [given] : [];
    // a given id may stand for two prompts, and may be the digest of another one
    return [...own, promptId(prompt), promptId(`again ${prompt}`)].find((id) => !candidates.has(id)) as string;
  }

  /** A column that no row of a source has is a mistake of the recipe, whether rows may be skipped or not. */
  function refuseColumns(): void {
    for (const [entry, { rows, columns }] of without) {
      const all = [...bySource.values()].reduce((sum, each) => sum + (each.entry === entry ? each.read : 0), 0);
      const { name, column } = config.sources[entry] as PromptsConfig['sources'][number];
      if (rows < all) continue;
      throw new ZephyrError(`Cannot read source "${name}": expected a column "${column}", no row has one`, {
        hint: `rows have ${columns.join(', ')}; name one in aif.prompts.sources.${entry}.column`,
      });
    }
  }

  /** Rows that are no prompts, as against those that the recipe's own bounds leave out. */
  function refuseMany(read: number): void {
    const counts = Object.fromEntries(Object.entries(dropped.counts()).filter(([reason]) => NO_PROMPT.includes(reason)));
    const unusable = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const most = config.max_dropped ?? MAX_DROPPED;
    if (unusable === read || unusable <= most * read) return;
    throw new ZephyrError(`Cannot take the prompts: ${unusable} of ${read} rows hold none (${countsInWords(counts)})`, {
      hint: `at most ${most} of the rows may be left out; aif.prompts.maxDropped sets another share`,
    });
  }

  return {
    candidates,
    dropped,
    bySource,
    contaminated: () => Object.fromEntries([...contaminated].map(([source, counts]) => [source, counts.counts()])),
    take(row) {
      const source = sourceOf(row);
      const { entry, at } = row;
      const prompt = textOf(row.prompt);
      const reject = (reason: string, text: string): void => {
        dropped.add(reason);
        rejects.add({ source, at, reason, text: text.slice(0, SHOWN) });
      };
      if (config.drop_sources.includes(source) || config.drop_sources.includes(config.sources[entry]?.name ?? ''))
        return dropped.add(`source ${source}`);
      if (prompt === undefined) {
        faults += 1;
        if (row.columns !== undefined) {
          const seen = without.get(entry) ?? { rows: 0, columns: row.columns };
          seen.rows += 1;
          without.set(entry, seen);
        }
        if (faulty.length < NAMED) faulty.push(`${config.sources[entry]?.name}: ${at}`);
        return reject(
          row.text === undefined ? 'no text' : 'malformed',
          row.text ?? JSON.stringify(row.prompt ?? null, (_, value) => (typeof value === 'bigint' ? Number(value) : value)),
        );
      }
      const reason = unusable(prompt, config);
      if (reason !== undefined) return reject(reason, prompt);
      const name = createHash('sha256').update(folded(prompt)).digest().toString('latin1', 0, 16);
      const same = numbers.get(name);
      if (same !== undefined) {
        candidates.merge(same);
        return dropped.add('duplicate');
      }
      const prompt_id = idOf(row.prompt_id, prompt);
      const found = benchmarks.find(prompt);
      if (found.length > 0) {
        const counts = contaminated.get(source) ?? counter();
        contaminated.set(source, counts);
        for (const hit of found) {
          counts.add(hit.benchmark);
          hits.add({ prompt_id, source, benchmark: hit.benchmark, row: hit.row, ngram: hit.ngram });
        }
        if (config.contaminated === 'drop') return dropped.add('in a benchmark');
      }
      numbers.set(name, candidates.add({ prompt_id, source, entry }, prompt));
    },
    close() {
      for (const file of [rejects, hits] satisfies LineFile[]) file.close();
      refuseColumns();
      const read = [...bySource.values()].reduce((sum, each) => sum + each.read, 0);
      if (faults === 0 || config.skip_invalid) return refuseMany(read);
      const more = faults > NAMED ? ` and ${faults - NAMED} more` : '';
      throw new ZephyrError(
        `Cannot read ${faults} of ${read} prompts: expected JSON objects with text, or messages with a user turn, as the prompt`,
        { hint: `Faulty: ${faulty.join('; ')}${more}. aif.prompts.skipInvalid: true goes on without them.` },
      );
    },
  };
}

/** Why a text cannot be a prompt. */
function unusable(prompt: string, { max_characters, max_tokens }: PromptsConfig): string | undefined {
  if (prompt.trim() === '') return 'empty';
  // U+FFFD is what readers make of bytes that are no UTF-8
  if (!prompt.isWellFormed() || prompt.includes('\uFFFD') || prompt.includes('\0')) return 'not valid text';
  return prompt.length > max_characters || estimateTokens(prompt) > max_tokens ? 'too long' : undefined;
}
