import { hmacOrder } from '../base/hmac-choice.ts';
import type { Call } from '../calls/call.ts';
import { comparisonFormat } from './comparison.ts';
import { expectedFormat } from './expected.ts';
import { jointFormat } from './joint.ts';
import type { JudgePanel } from './panel.ts';
import { ratingsFormat } from './ratings.ts';
import { judgeCall, type ResponseFormat } from './response-format.ts';
import { allInstructions, type Instructions } from './templates.ts';

/** An answer to be judged, beside the others to its prompt. */
export interface AnswerToJudge {
  readonly completion_id: string;
  readonly prompt_id: string;
  readonly prompt: string;
  readonly text: string;
}

/** One question to one judge. */
export interface JudgeRequest {
  /** Which judge of the panel is asked, from 0. */
  readonly judgeIndex: number;
  readonly permutation: number;
  /** in the order of the labels */
  readonly answers: readonly AnswerToJudge[];
  readonly instructions: Instructions;
  readonly format: ResponseFormat;
  /** For each model that may be asked: the question, and a second one for a reply that cannot be read. */
  readonly tries: readonly (readonly Call[])[];
}

/** The number of first replies of a judge after which it is asked no more if none of them could be read. */
export const LEGIBLE_AFTER = 16;

/** Answers that there is something to judge in. */
export function isJudged({ flags }: { readonly flags: readonly string[] }): boolean {
  return !flags.includes('missing') && !flags.includes('empty');
}

export type RequestsFor = (answers: readonly AnswerToJudge[]) => JudgeRequest[];

/**
 * Makes the questions about the answers to one prompt: which, in which orders and with which bytes depends on the config,
 * the answers and the seed alone, so that what is asked in advance is what is asked later. None for fewer than two answers.
 */
export async function requestMaker(panel: JudgePanel, files: string): Promise<RequestsFor> {
  const { seed, judges, fallback, mode, aspects, overall, permutations, pairs_per_prompt, min_mass } = panel;
  const instructions = await allInstructions(files, panel);

  /** To each judge, in each of these orders. */
  function requests(
    about: string,
    orders: readonly (readonly AnswerToJudge[])[],
    formatFor: (texts: number) => ResponseFormat,
  ): JudgeRequest[] {
    const told = instructions.get(about) as Instructions;
    return judges.flatMap((judge, judgeIndex) =>
      orders.map((answers, permutation) => {
        const format = formatFor(answers.length);
        const question = {
          instructions: told.text,
          prompt: answers[0] as AnswerToJudge,
          texts: answers.map(({ text }) => text),
          format,
        };
        const tries = [judge, ...(fallback === null ? [] : [fallback])].map((model) =>
          [`judge ${about}`, `judge ${about} once more`].map((purpose) => judgeCall(model, { ...question, purpose })),
        );
        return { judgeIndex, permutation, answers, instructions: told, format, tries };
      }),
    );
  }
  const inOrders = (about: string, answers: readonly AnswerToJudge[]) => ordersOf(seed, about, answers, permutations);
  const byMode: Record<JudgePanel['mode'], RequestsFor> = {
    per_aspect: (answers) =>
      aspects.flatMap((aspect) => requests(aspect, inOrders(aspect, answers), (texts) => ratingsFormat(aspect, texts))),
    joint: (answers) => requests('joint', inOrders('joint', answers), (texts) => jointFormat(aspects, texts)),
    pairwise: (answers) =>
      pairsOf(seed, answers, pairs_per_prompt).flatMap((pair) =>
        requests('comparison', [pair, pair.toReversed()].slice(0, permutations), comparisonFormat),
      ),
    expected: (answers) =>
      aspects.flatMap((aspect) =>
        answers.flatMap((answer) => requests(aspect, [[answer]], () => expectedFormat(aspect, min_mass))),
      ),
  };
  return (answers) => {
    if (answers.length < 2) return [];
    const critiqued = overall ? answers : [];
    return [
      ...(aspects.length > 0 ? byMode[mode](answers) : []),
      ...critiqued.flatMap((answer) => requests('overall', [[answer]], () => ratingsFormat('overall', 1))),
    ];
  };
}

/** The first `count` of a drawn order, its reverse, another drawn order and its reverse, each order once. */
function ordersOf(seed: number, about: string, answers: readonly AnswerToJudge[], count: number): (readonly AnswerToJudge[])[] {
  const drawn = [`order ${about}`, `order ${about} again`].flatMap((purpose) => {
    const order = hmacOrder(seed, purpose, answers, ({ completion_id }) => completion_id);
    return [order, order.toReversed()];
  });
  const isNew = (order: readonly AnswerToJudge[], index: number) =>
    drawn.findIndex((other) => other.every((answer, at) => answer === order[at])) === index;
  return drawn.filter(isNew).slice(0, count);
}

/**
 * At most `most` pairs: the answers stand in a drawn circle, neighbours are compared first, then those two apart, and so
 * on, so that all answers have equally many opponents and are linked by comparisons.
 */
function pairsOf(seed: number, answers: readonly AnswerToJudge[], most: number): AnswerToJudge[][] {
  const circle = hmacOrder(seed, 'pairs', answers, ({ completion_id }) => completion_id);
  const size = circle.length;
  const pairs: AnswerToJudge[][] = [];
  for (let apart = 1; apart * 2 <= size; apart += 1)
    for (let at = 0; at < (apart * 2 === size ? apart : size); at += 1)
      pairs.push([circle[at] as AnswerToJudge, circle[(at + apart) % size] as AnswerToJudge]);
  return pairs.slice(0, most);
}
