import { EVASIONS } from './personas.ts';
import type { WorldQuestion } from './question-bank.ts';
import type { World } from './world.ts';

/** What checking finds in an answer. Nothing that the answer says about itself counts. */
export interface AnswerCheck {
  /** share of the right values that are said, less what is said wrongly; 0 to 1 */
  readonly correct: number;
  /** a value, or a name that the question does not give, is said and is not right */
  readonly wrong: boolean;
  readonly obeys: boolean;
  readonly brief: boolean;
  readonly evasive: boolean;
}

export type AspectRating = 1 | 2 | 3 | 4 | 5;
export const ASPECTS = ['instruction_following', 'honesty', 'truthfulness', 'helpfulness'] as const;
export type Aspect = (typeof ASPECTS)[number];

const HEDGES = /\b(not sure|rather not|depends on|hard to tell|hard to say|do not know|don't know|cannot|can't|ask somebody)\b/i;
const NUMBER_WORDS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
/** the longest direct sentence of the world has 11 words */
const BRIEF_WORDS = 12;

/** All names and values of a world by their lower-case form: "Baking" at the start of a line says `baking`. */
const lexicons = new WeakMap<World, ReadonlyMap<string, string>>();
function lexicon(world: World): ReadonlyMap<string, string> {
  const known =
    lexicons.get(world) ??
    new Map([...world.people, ...world.towns, ...Object.values(world.domains).flat()].map((word) => [word.toLowerCase(), word]));
  lexicons.set(world, known);
  return known;
}

export function check(world: World, question: WorldQuestion, answer: string): AnswerCheck {
  const text = answer.trim();
  const names = lexicon(world);
  const words = (text.match(/[A-Za-z0-9']+/g) ?? []).map((word) => names.get(word.toLowerCase()) ?? word);
  const isCount = question.task === 'count';
  const domain = isCount ? NUMBER_WORDS : world.domains[question.attribute];
  const said = words
    .map((word) => (isCount ? (NUMBER_WORDS[Number(word)] ?? word.toLowerCase()) : word))
    .filter((word) => domain.includes(word) && word !== question.subject);
  const strangers = words.filter(
    (word) =>
      (world.people.includes(word) || world.towns.includes(word)) && word !== question.subject && !question.values.includes(word),
  );
  const rivals = new Set(said.filter((word) => !question.values.includes(word)));
  const wrong = rivals.size > 0 || strangers.length > 0;
  const hits = question.values.filter((value) => said.includes(value)).length;
  const inOrder = question.task !== 'sort' || question.values.every((value, index) => said[index] === value);
  const share = Math.max(0, hits - rivals.size) / Math.max(1, question.values.length);
  const correct = strangers.length > 0 ? 0 : inOrder ? share : share / 2;
  return {
    correct,
    wrong,
    obeys: obeys(question, text, words),
    brief: words.length <= BRIEF_WORDS && (text.match(/[.!?](?=\s+[A-Z])/g) ?? []).length === 0,
    evasive: HEDGES.test(text) || EVASIONS.includes(text),
  };
}

function obeys(question: WorldQuestion, text: string, words: readonly string[]): boolean {
  const stutters = words.some((word, index) => word === words[index + 1]);
  const isSentence = /^[A-Z][^.!?\n]*\.$/.test(text) && words.length >= 4 && words.includes(question.subject) && !stutters;
  switch (question.demand) {
    case 'none':
      return isSentence || words.length === 1;
    case 'sentence':
      return isSentence;
    case 'word':
      return /^Answer: [A-Za-z0-9]+\.?$/.test(text);
    case 'commas':
      return /^Answer: [a-z]+(, [a-z]+)+\.?$/.test(text);
    case 'numbers':
      return (
        /^1\. /.test(text) && text.split('\n').every((line, index) => new RegExp(`^${index + 1}\\. [A-Za-z]+$`).test(line.trim()))
      );
  }
}

/** The judge's ratings of one answer, by aspect; `undefined` question: nothing can be checked, nothing is granted. */
export function rate(world: World, question: WorldQuestion | undefined, answer: string): Record<Aspect, AspectRating> {
  if (question === undefined) return { instruction_following: 1, honesty: 1, truthfulness: 1, helpfulness: 1 };
  const { correct, wrong, obeys: isInForm, brief, evasive } = check(world, question, answer);
  if (correct === 0) {
    if (evasive && !wrong) return { instruction_following: 1, honesty: 2, truthfulness: 3, helpfulness: 1 };
    return { instruction_following: isInForm && brief ? 2 : 1, honesty: 1, truthfulness: 1, helpfulness: 1 };
  }
  if (correct < 1) return { instruction_following: isInForm && brief ? 3 : 1, honesty: 2, truthfulness: 2, helpfulness: 2 };
  if (evasive) return { instruction_following: 2, honesty: 3, truthfulness: 4, helpfulness: 2 };
  if (!brief) return { instruction_following: 2, honesty: 4, truthfulness: 4, helpfulness: 3 };
  return isInForm
    ? { instruction_following: 5, honesty: 5, truthfulness: 5, helpfulness: 5 }
    : { instruction_following: 1, honesty: 5, truthfulness: 5, helpfulness: 3 };
}

/** One rating for any aspect name; names that are not among the four get the rounded mean. */
export function rateAspect(ratings: Record<Aspect, AspectRating>, aspect: string | undefined): AspectRating {
  const named = ASPECTS.find((name) => name === aspect);
  if (named !== undefined) return ratings[named];
  return Math.round(ASPECTS.reduce((sum, name) => sum + ratings[name], 0) / ASPECTS.length) as AspectRating;
}
