import { counter } from '../../../base/counter.ts';
import { straightLine } from '../../../judging/correlation.ts';
import type { Rating } from '../../../judging/rating.ts';
import type { Completion } from '../tables.ts';
import { type Contradiction, contradictions, type TwiceScored } from './cross-check.ts';
import { obstacle, type PairFlag, type PickedPair } from './pairs.ts';
import { type PairCandidate, pickPair } from './pick-pair.ts';
import type { RatedPrompt } from './rated-prompts.ts';
import { type RatingStatistics, ratingStatistics } from './rating-statistics.ts';
import type { BinarizeRule } from './rule.ts';
import { sameWhenCut } from './same-when-cut.ts';
import { scoreOf } from './scores.ts';

/** What happened to the answers of a pool member, or to the prompts of a source. */
export type ModelCounts = { answers: number; flagged: number; unscored: number; chosen: number; rejected: number };
export type SourceCounts = { prompts: number; pairs: number };

export interface PairedUp {
  readonly picks: ReadonlyMap<string, PickedPair>;
  readonly prompts: number;
  readonly drops: ReturnType<typeof counter>;
  /** answers that could be in no pair, by reason */
  readonly leftOut: ReturnType<typeof counter>;
  /** by `MEMBER\nMODEL` */
  readonly models: ReadonlyMap<string, ModelCounts>;
  readonly sources: ReadonlyMap<string, SourceCounts>;
  readonly statistics: RatingStatistics;
  readonly contradictions: readonly Contradiction[];
  /** answers with an overall score and a mean of aspects: those that could be cross-checked */
  readonly twiceScored: number;
  readonly flags: Readonly<Record<string, number>>;
  /** pairs whose chosen answer is the longer one, in characters */
  readonly longer: number;
  /** Pearson's, of scores before any correction and lengths in characters; null where one does not vary */
  readonly lengthCorrelation: number | null;
  /** points of the score that a thousand characters more were worth, and were taken off; null without lengthResidual */
  readonly lengthSlope: number | null;
}

type Scored = PairCandidate & { readonly completion: Completion };

/**
 * Decides for every prompt which answer wins against which, in one walk over answers and ratings (two with
 * `length_residual`, which must know the whole dataset first). Keeps ids and numbers, no texts.
 */
export async function pairUp(rated: () => AsyncIterable<RatedPrompt>, rule: BinarizeRule): Promise<PairedUp> {
  const pairing = new Pairing(rule, rule.length_residual ? await lengthCorrection(rated(), rule) : undefined);
  for await (const prompt of rated()) pairing.add(prompt);
  return pairing.found();
}

class Pairing {
  readonly #rule: BinarizeRule;
  readonly #correct: LengthCorrection | undefined;
  readonly #picks = new Map<string, PickedPair>();
  readonly #drops = counter();
  readonly #leftOut = counter();
  readonly #flags = counter();
  readonly #models = new Map<string, ModelCounts>();
  readonly #sources = new Map<string, SourceCounts>();
  readonly #statistics = ratingStatistics();
  readonly #lengths = straightLine();
  readonly #twice: TwiceScored[] = [];
  #prompts = 0;
  #longer = 0;

  constructor(rule: BinarizeRule, correct: LengthCorrection | undefined) {
    this.#rule = rule;
    this.#correct = correct;
  }

  add(prompt: RatedPrompt): void {
    this.#prompts += 1;
    this.#statistics.add(prompt);
    const source = entry(this.#sources, prompt.source ?? '', () => ({ prompts: 0, pairs: 0 }));
    source.prompts += 1;
    const candidates = prompt.completions.flatMap((completion) => this.#candidateOf(completion, prompt) ?? []);
    const picked = pickPair(candidates, this.#rule, prompt.prompt_id);
    if (!picked.ok) {
      this.#drops.add(picked.reason);
      return;
    }
    const { chosen, rejected } = picked;
    const flags: PairFlag[] = [];
    if (sameWhenCut(prompt.prompt, chosen.text, rejected.text, this.#rule.trainer)) flags.push('same_when_cut');
    if (chosen.completion.flags.includes('refusal')) flags.push('refusal_chosen');
    if (flags.includes('same_when_cut') && this.#rule.same_when_cut === 'drop') {
      this.#drops.add('same when cut by the trainer');
      return;
    }
    source.pairs += 1;
    this.#modelOf(chosen.completion).chosen += 1;
    this.#modelOf(rejected.completion).rejected += 1;
    this.#longer += chosen.text.length > rejected.text.length ? 1 : 0;
    for (const flag of flags) this.#flags.add(flag);
    this.#picks.set(prompt.prompt_id, {
      prompt_id: prompt.prompt_id,
      chosen_id: chosen.id,
      rejected_id: rejected.id,
      score_chosen: chosen.score,
      score_rejected: rejected.score,
      candidates: candidates.length,
      flags,
    });
  }

  /** An answer with its score; `undefined` where it can be in no pair. */
  #candidateOf(completion: Completion, { ratings, safety }: RatedPrompt): Scored | undefined {
    const { completion_id: id, text, flags } = completion;
    const counts = this.#modelOf(completion);
    counts.answers += 1;
    const flag = obstacle(flags, safety);
    if (flag !== undefined) {
      counts.flagged += 1;
      this.#leftOut.add(flag);
      return undefined;
    }
    const own = ratings.get(id) ?? [];
    this.#crossCheck(completion, own);
    const raw = scoreOf(own, this.#rule.score, this.#rule.aspects, this.#rule.weights);
    if (raw === null) {
      counts.unscored += 1;
      this.#leftOut.add('no full score');
      return undefined;
    }
    this.#lengths.add(text.length, raw);
    return { id, text, score: this.#correct === undefined ? raw : raw - this.#correct.off(text), completion };
  }

  #crossCheck({ completion_id, model }: Completion, own: readonly Rating[]): void {
    const overall = scoreOf(own, 'overall', []);
    const mean_aspects = overall === null ? null : scoreOf(own, 'mean_aspects', this.#rule.aspects);
    if (overall !== null && mean_aspects !== null) this.#twice.push({ completion_id, model, overall, mean_aspects });
  }

  #modelOf({ member, model }: Completion): ModelCounts {
    const none = () => ({ answers: 0, flagged: 0, unscored: 0, chosen: 0, rejected: 0 });
    return entry(this.#models, `${member}\n${model}`, none);
  }

  found(): PairedUp {
    return {
      picks: this.#picks,
      prompts: this.#prompts,
      drops: this.#drops,
      leftOut: this.#leftOut,
      models: this.#models,
      sources: this.#sources,
      longer: this.#longer,
      flags: this.#flags.counts(),
      statistics: this.#statistics.found(),
      contradictions: contradictions(this.#twice, this.#rule.cross_check),
      twiceScored: this.#twice.length,
      lengthCorrelation: this.#lengths.correlation(),
      lengthSlope: this.#correct === undefined ? null : 1000 * this.#correct.slope,
    };
  }
}

interface LengthCorrection {
  /** points of the score for a character */
  readonly slope: number;
  /** points to take off the score of a text */
  readonly off: (text: string) => number;
}

/**
 * What length alone explains of a score: the least-squares line of the score over the length in characters, over every
 * scored answer of the dataset, less its mean, so that scores keep their scale. Judges like long answers; taking length
 * out by regression lifted the agreement of AlpacaEval with people from 0.94 to 0.98 (Dubois et al., arXiv 2404.04475, by
 * a logistic model of comparisons; here the score itself is regressed).
 */
async function lengthCorrection(prompts: AsyncIterable<RatedPrompt>, rule: BinarizeRule): Promise<LengthCorrection> {
  const line = straightLine();
  for await (const { completions, ratings, safety } of prompts) {
    for (const { completion_id, text, flags } of completions) {
      const score = scoreOf(ratings.get(completion_id) ?? [], rule.score, rule.aspects, rule.weights);
      if (score !== null && obstacle(flags, safety) === undefined) line.add(text.length, score);
    }
  }
  const slope = line.slope();
  const mean = line.meanX();
  return { slope, off: (text: string) => slope * (text.length - mean) };
}

function entry<T>(map: Map<string, T>, key: string, make: () => T): T {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}
