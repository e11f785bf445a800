import { hmacUniform } from '../base/hmac-choice.ts';
import type { WorldQuestion } from './question-bank.ts';
import { sentence } from './wordings.ts';
import type { World } from './world.ts';

/** How a practice model answers; the model's name is `practice-` and the persona. */
export const PERSONAS = ['direct', 'rambling', 'evasive', 'careless'] as const;
export type Persona = (typeof PERSONAS)[number];

/** Shares of the manners in `practice-mixed`: a teacher whose knowledge is fit to be taught and whose way to answer is not. */
const MIXTURE: Readonly<Record<Persona, number>> = { direct: 0.4, rambling: 0.25, evasive: 0.2, careless: 0.15 };

/** Share of careless answers that say something wrong; the others are right in the wrong form. */
const WRONG = 0.3;

const OPENERS = [
  'That is a good question.',
  'Let me think about that.',
  'I am glad that you ask.',
  'Many people want to know that.',
];
const CLOSERS = [
  'There is much more to say about it.',
  'People talk about it all the time.',
  'It has been like that for years.',
  'You may find that rather interesting.',
];
export const EVASIONS = [
  'I am not sure about that.',
  'I would rather not say.',
  'That depends on many things.',
  'It is hard to tell, you should ask somebody else.',
];
const LOST = 'I do not know anything about that.';

/** Draws that depend on the model, the conversation and the request's seed alone. */
export type Draw = (purpose: string) => number;

export function drawFor(model: string, conversation: string, seed: number | undefined): Draw {
  return (purpose) => hmacUniform(`${model} ${seed ?? ''}`, purpose, conversation);
}

export function mixedPersona(draw: Draw): Persona {
  const drawn = draw('manner');
  let upTo = 0;
  for (const persona of PERSONAS) {
    upTo += MIXTURE[persona];
    if (drawn < upTo) return persona;
  }
  return 'direct';
}

export function answer(world: World, question: WorldQuestion | undefined, persona: Persona, draw: Draw): string {
  if (question === undefined) return LOST;
  switch (persona) {
    case 'direct':
      return inForm(question, question.values);
    case 'rambling':
      return `${pick(OPENERS, draw('opener'))} ${inForm({ ...question, demand: 'sentence' }, question.values)} ${pick(CLOSERS, draw('closer'))}`;
    case 'evasive':
      return pick(EVASIONS, draw('evasion'));
    case 'careless':
      return draw('wrong') < WRONG ? inForm(question, wrongValues(world, question, draw)) : formless(question);
  }
}

/** The values in the form that the question demands. */
function inForm(question: WorldQuestion, values: readonly string[]): string {
  switch (question.demand) {
    case 'word':
      return `Answer: ${values.join(' ')}`;
    case 'commas':
      return `Answer: ${values.join(', ')}`;
    case 'numbers':
      return values.map((value, index) => `${index + 1}. ${value}`).join('\n');
    case 'none':
    case 'sentence':
      return sentence(question.attribute, question.task, question.subject, values);
  }
}

/** A correct answer in another form than the question demands. */
function formless(question: WorldQuestion): string {
  switch (question.demand) {
    case 'word':
      return inForm({ ...question, demand: 'sentence' }, question.values);
    case 'sentence':
      return inForm({ ...question, demand: 'word' }, question.values);
    case 'none':
      return `It is ${question.values.join(' ')} as far as I recall`;
    case 'commas':
    case 'numbers':
      return capital(question.values.join(' and '));
  }
}

function wrongValues(world: World, { task, attribute, subject, values }: WorldQuestion, draw: Draw): string[] {
  const words = task === 'count' ? ['one', 'two', 'three', 'four', 'five'] : world.domains[attribute];
  const others = words.filter((word) => word !== subject && !values.includes(word));
  return values.map((value, index) => (index === 0 ? pick(others, draw('wrong value')) : value));
}

/** Every answer begins with a capital, so that a recipe's truecasing changes none of them. */
function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function pick(items: readonly string[], at: number): string {
  return items[Math.floor(at * items.length)] ?? '';
}
