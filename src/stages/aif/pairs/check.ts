import type { Mistake } from '../../../recipe/mistakes.ts';
import type { Recipe } from '../../../recipe/recipe.ts';
import type { Path } from '../../../recipe/yaml-file.ts';
import type { PromptsSpec } from '../prompts/spec.ts';
import { promptsAtMost } from '../prompts/step.ts';
import type { AifTeachers } from '../spec.ts';
import { isOnFivePoints, type Score } from './scores.ts';
import type { BinarizeSpec } from './spec.ts';

/** What there is to make pairs of. */
interface Rated {
  /** aspects on the scale of 1 to 5 */
  readonly aspects: readonly string[];
  readonly scores: readonly Score[];
  /** what would give other scores */
  readonly otherwise: string;
}

/** Whether the judge gives what the pairs are made of, and whether the parts of their rule fit one another. */
export function checkPairs(recipe: Recipe): (Mistake | undefined)[] {
  const { aif } = recipe;
  if (aif.source === 'pairs') return [];
  if (aif.source === 'delta') return [tooManyHeld(['aif', 'testPrompts'], aif.testPrompts, aif.prompts)];
  const rated = aif.source === 'ratings' ? PUBLISHED : ratedBy(aif.judge);
  const { score, weights, rejected, marginBand, minMargin, minChosen, trainerMaxLength } = aif.binarize;
  const { maxPromptLength } = recipe.ddpo.prepare;
  const top = topOf(score);
  const foreign = Object.keys(weights ?? {}).find((aspect) => !rated.aspects.includes(aspect));
  return [
    aif.source === 'ratings' ? undefined : tooManyHeld(['aif', 'binarize', 'testPrompts'], aif.binarize.testPrompts, aif.prompts),
    rated.scores.includes(score)
      ? undefined
      : mistake('score', `expected ${rated.scores.join(' or ')}, or ${rated.otherwise}; got ${score}`),
    unlessTogether('weights', weights, score === 'weighted', 'score: weighted'),
    unlessTogether('marginBand', marginBand, rejected === 'margin_band', 'rejected: margin_band'),
    weights !== undefined && foreign !== undefined
      ? mistake('weights', `expected aspects that are rated (${rated.aspects.join(', ') || 'none is'}), got ${foreign}`)
      : undefined,
    weights !== undefined && Object.values(weights).every((weight) => !weight)
      ? mistake('weights', 'expected at least one weight above 0')
      : undefined,
    marginBand !== undefined && minMargin !== undefined && marginBand.max < minMargin
      ? mistake('marginBand', `expected max to be at least minMargin, ${minMargin}, got ${marginBand.max}`)
      : undefined,
    minChosen !== undefined && minChosen > top
      ? mistake('minChosen', `expected at most ${top}, the best score, got ${minChosen}`)
      : undefined,
    trainerMaxLength !== undefined && trainerMaxLength <= maxPromptLength
      ? mistake(
          'trainerMaxLength',
          `expected more than ddpo.prepare.maxPromptLength, ${maxPromptLength}, got ${trainerMaxLength}`,
        )
      : undefined,
  ];
}

/** More prompts held out than the recipe has would show when all was paid. */
function tooManyHeld(path: Path, testPrompts: number, prompts: PromptsSpec): Mistake | undefined {
  const isOpen = prompts.sources.some(({ file }) => file !== undefined);
  const most = isOpen ? null : promptsAtMost(prompts);
  if (most === null || testPrompts < most) return undefined;
  const message = `expected less than the number of prompts, ${most}, got ${testPrompts}: none would be left to train on`;
  return { path, part: 'value', message: `${path.join('.')}: ${message}` };
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

function mistake(name: keyof BinarizeSpec, message: string): Mistake {
  return { path: ['aif', 'binarize', name], part: 'value', message: `aif.binarize.${name}: ${message}` };
}
