import { counter } from '../../../base/counter.ts';
import type { Rating } from '../../../judging/rating.ts';
import type { Completion } from '../tables.ts';
import { type Contradiction, contradictions, type TwiceScored } from './cross-check.ts';
import { obstacle, type PairFlag, type Pick } from './pairs.ts';
import { type Candidate, pickPair } from './pick-pair.ts';
import type { RatedPrompt } from './rated-prompts.ts';
import { type RatingStatistics, ratingStatistics } from './rating-statistics.ts';
import type { BinarizeRule } from './rule.ts';
import { sameWhenCut } from './same-when-cut.ts';
import { scoreOf } from './scores.ts';
import { straightLine } from './straight-line.ts';

/** What happened to the answers of a pool member, or to the prompts of a source. */
export type ModelCounts = { answers: number; flagged: number; unscored: number; chosen: number; rejected: number };
export type SourceCounts = { prompts: number; pairs: number };

export interface PairedUp {
  readonly picks: ReadonlyMap<string, Pick>;
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

type Scored = Candidate & { readonly completion: Completion };

/**
 * Decides for every prompt which answer wins against which, in one walk over answers and ratings (two with
 * `length_residual`, which must know the whole dataset first). Keeps ids and numbers, no texts.
 */
export async function pairUp(rated: () => AsyncIterable<RatedPrompt>, rule: BinarizeRule): Promise<PairedUp> {
  const correct = rule.length_residual ? await lengthCorrection(rated(), rule) : undefined;
  const picks = new Map<string, Pick>();
  const [drops, leftOut, flags] = [counter(), counter(), counter()];
  const models = new Map<string, ModelCounts>();
  const sources = new Map<string, SourceCounts>();
  const statistics = ratingStatistics();
  const lengths = straightLine();
  const twice: TwiceScored[] = [];
  let prompts = 0;
  let longer = 0;

  const modelOf = ({ member, model }: Completion): ModelCounts =>
    entry(models, `${member}\n${model}`, () => ({ answers: 0, flagged: 0, unscored: 0, chosen: 0, rejected: 0 }));

  function candidatesOf(prompt: RatedPrompt): Scored[] {
    const candidates: Scored[] = [];
    for (const completion of prompt.completions) {
      const counts = modelOf(completion);
      counts.answers += 1;
      const own = prompt.ratings.get(completion.completion_id) ?? [];
      const flag = obstacle(completion.flags, prompt.safety);
      const raw = flag === undefined ? scoreOf(own, rule.score, rule.aspects, rule.weights) : null;
      if (flag === undefined) crossCheck(completion, own);
      if (flag !== undefined) {
        counts.flagged += 1;
        leftOut.add(flag);
      } else if (raw === null) {
        counts.unscored += 1;
        leftOut.add('no full score');
      } else {
        lengths.add(completion.text.length, raw);
        const score = correct === undefined ? raw : raw - correct.off(completion.text);
        candidates.push({ id: completion.completion_id, text: completion.text, score, completion });
      }
    }
    return candidates;
  }
  function crossCheck({ completion_id, model }: Completion, own: readonly Rating[]): void {
    const overall = scoreOf(own, 'overall', []);
    const mean_aspects = overall === null ? null : scoreOf(own, 'mean_aspects', rule.aspects);
    if (overall !== null && mean_aspects !== null) twice.push({ completion_id, model, overall, mean_aspects });
  }

  for await (const prompt of rated()) {
    prompts += 1;
    statistics.add(prompt);
    const source = entry(sources, prompt.source ?? '', () => ({ prompts: 0, pairs: 0 }));
    source.prompts += 1;
    const candidates = candidatesOf(prompt);
    const picked = pickPair(candidates, rule, prompt.prompt_id);
    if (!picked.ok) {
      drops.add(picked.reason);
      continue;
    }
    const { chosen, rejected } = picked;
    const found: PairFlag[] = [];
    if (sameWhenCut(prompt.prompt, chosen.text, rejected.text, rule.trainer)) found.push('same_when_cut');
    if (chosen.completion.flags.includes('refusal')) found.push('refusal_chosen');
    if (found.includes('same_when_cut') && rule.same_when_cut === 'drop') {
      drops.add('same when cut by the trainer');
      continue;
    }
    source.pairs += 1;
    modelOf(chosen.completion).chosen += 1;
    modelOf(rejected.completion).rejected += 1;
    longer += chosen.text.length > rejected.text.length ? 1 : 0;
    for (const flag of found) flags.add(flag);
    picks.set(prompt.prompt_id, {
      prompt_id: prompt.prompt_id,
      chosen_id: chosen.id,
      rejected_id: rejected.id,
      score_chosen: chosen.score,
      score_rejected: rejected.score,
      candidates: candidates.length,
      flags: found,
    });
  }
  return {
    ...{ picks, prompts, drops, leftOut, models, sources, longer, flags: flags.counts(), statistics: statistics.found() },
    contradictions: contradictions(twice, rule.cross_check),
    twiceScored: twice.length,
    lengthCorrelation: lengths.correlation(),
    lengthSlope: correct === undefined ? null : 1000 * correct.slope,
  };
}

/**
 * What length alone explains of a score: the least-squares line of the score over the length in characters, over every
 * scored answer of the dataset, less its mean, so that scores keep their scale. Judges like long answers; taking length
 * out by regression lifted the agreement of AlpacaEval with people from 0.94 to 0.98 (Dubois et al., arXiv 2404.04475, by
 * a logistic model of comparisons; here the score itself is regressed).
 */
async function lengthCorrection(prompts: AsyncIterable<RatedPrompt>, rule: BinarizeRule) {
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
