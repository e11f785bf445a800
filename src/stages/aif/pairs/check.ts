import { type Mistake, mistakeAt, type Path } from '../../mistake.ts';
import type { PromptsSpec } from '../prompts/spec.ts';
import { promptsAtMost } from '../prompts/step.ts';
import type { AifSpec, AifTeachers } from '../spec.ts';
import { isOnFivePoints, type Score } from './scores.ts';
import type { BinarizeSpec, TrainerLengths } from './spec.ts';

/** What there is to make pairs of. */
interface Rated {
  /** aspects on the scale of 1 to 5 */
  readonly aspects: readonly string[];
  readonly scores: readonly Score[];
  /** what would give other scores */
  readonly otherwise: string;
}

/** Whether the judge gives what the pairs are made of, and whether the parts of their rule fit one another. */
export function checkPairs(aif: AifSpec, { maxPromptLength }: TrainerLengths): (Mistake | undefined)[] {
  if (aif.source === 'pairs') return [];
  if (aif.source === 'delta') return [tooManyHeld(['aif', 'testPrompts'], aif.testPrompts, aif.prompts)];
  const { binarize } = aif;
  const { trainerMaxLength } = binarize;
  return [
    aif.source === 'ratings' ? undefined : tooManyHeld(at('testPrompts'), binarize.testPrompts, aif.prompts),
    ...checkScore(binarize, aif.source === 'ratings' ? PUBLISHED : ratedBy(aif.judge)),
    ...checkMargins(binarize),
    trainerMaxLength !== undefined && trainerMaxLength <= maxPromptLength
      ? mistake(
          'trainerMaxLength',
          `expected more than ddpo.prepare.maxPromptLength, ${maxPromptLength}, got ${trainerMaxLength}`,
        )
      : undefined,
  ];
}

function checkScore({ score, weights }: BinarizeSpec, rated: Rated): (Mistake | undefined)[] {
  const foreign = Object.keys(weights ?? {}).find((aspect) => !rated.aspects.includes(aspect));
  return [
    rated.scores.includes(score)
      ? undefined
      : mistake('score', `expected ${rated.scores.join(' or ')}, or ${rated.otherwise}; got ${score}`),
    unlessTogether('weights', weights, score === 'weighted', 'score: weighted'),
    foreign !== undefined
      ? mistake('weights', `expected aspects that are rated (${rated.aspects.join(', ') || 'none is'}), got ${foreign}`)
      : undefined,
    weights !== undefined && Object.values(weights).every((weight) => !weight)
      ? mistake('weights', 'expected at least one weight above 0')
      : undefined,
  ];
}

function checkMargins({ score, rejected, marginBand, minMargin, minChosen }: BinarizeSpec): (Mistake | undefined)[] {
  const top = topOf(score);
  return [
    unlessTogether('marginBand', marginBand, rejected === 'margin_band', 'rejected: margin_band'),
    marginBand !== undefined && minMargin !== undefined && marginBand.max < minMargin
      ? mistake('marginBand', `expected max to be at least minMargin, ${minMargin}, got ${marginBand.max}`)
      : undefined,
    minChosen !== undefined && minChosen > top
      ? mistake('minChosen', `expected at most ${top}, the best score, got ${minChosen}`)
      : undefined,
  ];
}

/** More prompts held out than the recipe has would show when all was paid. */
function tooManyHeld(path: Path, testPrompts: number, prompts: PromptsSpec): Mistake | undefined {
  const isOpen = prompts.sources.some(({ file }) => file !== undefined);
  const most = isOpen ? null : promptsAtMost(prompts);
  if (most === null || testPrompts < most) return undefined;
  return mistakeAt(path, `expected less than the number of prompts, ${most}, got ${testPrompts}: none would be left to train on`);
}

const PUBLISHED: Rated = {
  aspects: ['instruction_following', 'honesty', 'truthfulness', 'helpfulness'],
  scores: ['mean_aspects', 'weighted', 'overall'],
  otherwise: 'own feedback: published ratings hold no more',
};

function ratedBy(judge: AifTeachers['judge']): Rated {
  if (judge.by === 'reward_model') return { aspects: [], scores: ['reward'], otherwise: 'a judge that rates' };
  const aspects = judge.mode === 'pairwise' ? [] : judge.aspects;
  const scores: (Score | undefined)[] = [
    ...(aspects.length > 0 ? (['mean_aspects', 'weighted'] as const) : []),
    aspects.length > 0 && judge.mode === 'expected' ? 'expected' : undefined,
    judge.mode === 'pairwise' ? 'pairwise' : undefined,
    judge.overall ? 'overall' : undefined,
  ];
  return {
    aspects,
    scores: scores.filter((score) => score !== undefined),
    otherwise: 'another mode, aspects or overall of aif.judge',
  };
}

function topOf(score: Score): number {
  if (isOnFivePoints(score)) return 5;
  return { overall: 10, pairwise: 1 }[score as string] ?? Number.POSITIVE_INFINITY;
}

function unlessTogether(name: keyof BinarizeSpec, value: unknown, wanted: boolean, other: string): Mistake | undefined {
  if (wanted && value === undefined) return mistake(name, `missing: ${other} needs it`);
  return !wanted && value !== undefined ? mistake(name, `has no effect without ${other}`) : undefined;
}

const at = (name: keyof BinarizeSpec): Path => ['aif', 'binarize', name];
const mistake = (name: keyof BinarizeSpec, message: string): Mistake => mistakeAt(at(name), message);
