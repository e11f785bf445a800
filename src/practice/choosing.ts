/** An instruction with two answers, as AlpacaEval's prompts give them: texts in triple quotes, in an order of their own. */
export interface AnswerPair {
  readonly instruction: string;
  readonly answers: readonly [string, string];
  /** How the choice is to be said: as a list of ranks, or by the name of the better one alone. */
  readonly wants: 'ranks' | 'name';
}

const INSTRUCTION = /"instruction": """/;
const ANSWER = /"(?:answer|output)": """/g;

/** The pair in a judge's prompt; undefined where it asks for something else. What a text quotes itself stays part of it. */
export function answerPair(prompt: string): AnswerPair | undefined {
  const start = INSTRUCTION.exec(prompt);
  const openings = [...prompt.matchAll(ANSWER)];
  const [first] = openings;
  const second = openings.at(-1);
  if (start === null || first === undefined || second === undefined || openings.length < 2) return undefined;
  const textAfter = ({ 0: opening, index }: RegExpExecArray, end: number): string => {
    const inside = prompt.slice(index + opening.length, end);
    return inside.slice(0, inside.lastIndexOf('"""'));
  };
  return {
    instruction: textAfter(start, first.index),
    answers: [textAfter(first, second.index), textAfter(second, prompt.length)],
    wants: second[0].includes('answer') ? 'ranks' : 'name',
  };
}

/** The choice of one of two in the words that the prompt wants. */
export function choiceInWords(wants: AnswerPair['wants'], chosen: 0 | 1): string {
  if (wants === 'name') return chosen === 0 ? 'm' : 'M';
  const ranks = chosen === 0 ? [1, 2] : [2, 1];
  return `[${ranks.map((rank, index) => `{'model': 'model_${index + 1}', 'rank': ${rank}}`).join(', ')}]`;
}
