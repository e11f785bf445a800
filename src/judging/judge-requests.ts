import { hmacOrder } from '../base/hmac-choice.ts';
import type { Call } from '../calls/call.ts';
import type { CallFields } from '../calls/call-config.ts';
import { comparisonForm } from './comparison.ts';
import { expectedForm } from './expected.ts';
import { jointForm } from './joint.ts';
import type { JudgePanel } from './panel.ts';
import { ratingsForm } from './ratings.ts';
import { type Form, judgeCall } from './response-format.ts';
import { allInstructions, type Instructions } from './templates.ts';

/** An answer to be judged, beside the others to its prompt. */
export interface Answer {
  readonly completion_id: string;
  readonly prompt_id: string;
  readonly prompt: string;
  readonly text: string;
}

/** One question to one judge. */
export interface Sheet {
  /** Which judge of the panel is asked, from 0. */
  readonly seat: number;
  readonly permutation: number;
  /** in the order of the labels */
  readonly answers: readonly Answer[];
  readonly instructions: Instructions;
  readonly form: Form;
  /** For each model that may be asked: the question, and the same once more for when its reply cannot be read. */
  readonly tries: readonly (readonly Call[])[];
}

/** So many sheets of a judge that nobody can read, and none that can be: it is asked no more. */
export const LEGIBLE_AFTER = 16;

/** Answers that there is something to judge in. */
export function isJudged({ flags }: { readonly flags: readonly string[] }): boolean {
  return !flags.includes('missing') && !flags.includes('empty');
}

/**
 * Makes the questions about the answers to one prompt: which, in which orders and with which bytes depends on the config,
 * the answers and the seed alone, so that what is asked in advance is what is asked later. None for fewer than two answers.
 */
export async function sheetMaker(config: JudgePanel, files: string): Promise<(answers: readonly Answer[]) => Sheet[]> {
  const { seed, judges, fallback, mode, aspects, overall, permutations, pairs_per_prompt, min_mass } = config;
  const instructions = await allInstructions(files, config);

  function sheets(about: string, orders: readonly (readonly Answer[])[], formFor: (texts: number) => Form): Sheet[] {
    const told = instructions.get(about) as Instructions;
    return judges.flatMap((judge, seat) =>
      orders.map((answers, permutation) => {
        const form = formFor(answers.length);
        const ask = (fields: CallFields): Call[] =>
          [`judge ${about}`, `judge ${about} once more`].map((purpose) =>
            judgeCall(
              fields,
              purpose,
              told.text,
              answers[0] as Answer,
              answers.map(({ text }) => text),
              form,
            ),
          );
        const tries = [ask(judge), ...(fallback === null ? [] : [ask(fallback)])];
        return { seat, permutation, answers, instructions: told, form, tries };
      }),
    );
  }
  const inOrders = (about: string, answers: readonly Answer[]) => ordersOf(seed, about, answers, permutations);

  function main(answers: readonly Answer[]): Sheet[] {
    switch (mode) {
      case 'per_aspect':
        return aspects.flatMap((aspect) => sheets(aspect, inOrders(aspect, answers), (texts) => ratingsForm(aspect, texts)));
      case 'joint':
        return sheets('joint', inOrders('joint', answers), (texts) => jointForm(aspects, texts));
      case 'pairwise':
        return pairsOf(seed, answers, pairs_per_prompt).flatMap((pair) =>
          sheets('comparison', [pair, pair.toReversed()].slice(0, permutations), comparisonForm),
        );
      case 'expected':
        return aspects.flatMap((aspect) =>
          answers.flatMap((answer) => sheets(aspect, [[answer]], () => expectedForm(aspect, min_mass))),
        );
    }
  }
  return (answers) => {
    if (answers.length < 2) return [];
    const rest = overall ? answers.flatMap((answer) => sheets('overall', [[answer]], () => ratingsForm('overall', 1))) : [];
    return [...(aspects.length > 0 ? main(answers) : []), ...rest];
  };
}

/** A drawn order, its reverse, another and its reverse: as many as are wanted, each once. */
function ordersOf(seed: number, about: string, answers: readonly Answer[], count: number): (readonly Answer[])[] {
  const drawn = [`order ${about}`, `order ${about} again`].flatMap((purpose) => {
    const order = hmacOrder(seed, purpose, answers, ({ completion_id }) => completion_id);
    return [order, order.toReversed()];
  });
  const isNew = (order: readonly Answer[], index: number) =>
    drawn.findIndex((other) => other.every((answer, at) => answer === order[at])) === index;
  return drawn.filter(isNew).slice(0, count);
}

/**
 * At most `most` pairs: the answers stand in a drawn circle, neighbours are compared first, then those two apart, and so
 * on, so that every answer has as many opponents as another and all hang together.
 */
function pairsOf(seed: number, answers: readonly Answer[], most: number): Answer[][] {
  const circle = hmacOrder(seed, 'pairs', answers, ({ completion_id }) => completion_id);
  const size = circle.length;
  const pairs: Answer[][] = [];
  for (let apart = 1; apart * 2 <= size; apart += 1)
    for (let at = 0; at < (apart * 2 === size ? apart : size); at += 1)
      pairs.push([circle[at] as Answer, circle[(at + apart) % size] as Answer]);
  return pairs.slice(0, most);
}
