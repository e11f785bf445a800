/** Ways in which a text tries to speak to its judge instead of to the user. */
const RULES = {
  /** lines that open or close a text in our question, or a turn of a chat */
  'imitates delimiters':
    /<<<\s*(END\s+)?(ANSWER|INSTRUCTION|TEXT)\b|<\|(im_start|im_end|system|user|assistant|endoftext)\|>|^\s*#{2,}\s*(system|instructions? (to|for) the (judge|grader|evaluator))\b|\[\/?INST\]/im,
  'addresses the judge':
    /\b(dear|to the|attention,?|note (to|for)( the)?|you are( the| an?)?( (ai|llm|impartial|expert))?) (judge|grader|evaluator|rater)s?\b|\b(ignore|disregard|forget)\b[^.\n]{0,40}\b(instructions?|rules|criteria|rubric|guidelines)\b|\bas (the|an?) (ai |llm )?(judge|grader|evaluator|rater)\b/i,
  'gives ratings':
    /"(rating|score|better)"\s*:|(?:^|[.!?]\s)\s*(rating|score|grade|verdict)\s*[:=]\s*\d|\b(rate|score|grade) (this|the|my) (answer|response|text|reply)\b|\b(this|the|my) (answer|response|text|reply) (deserves|should (get|receive|be (rated|given|scored)))\b|\b(answer|response|text) [A-Z] is (clearly |much )?(better|best|the best|worse)\b|\bgive (me|it|this|us) (a |the )?(full |top |highest |maximum |perfect )?(rating|score|marks?|points?|[1-5] (out of|\/))/im,
} as const;

export type InjectionRule = keyof typeof RULES;

/** The rules that a text breaks. They flag it and drop nothing, since texts about ratings break them too. */
export function injectionsIn(text: string): InjectionRule[] {
  return (Object.keys(RULES) as InjectionRule[]).filter((name) => RULES[name].test(text));
}

/** Marks of Markdown that judges are known to like for their own sake (arXiv 2604.23178). */
const MARKS = {
  lists: /^\s*([-*+]|\d+[.)])\s+\S/m,
  headings: /^#{1,6}\s+\S/m,
  bold: /\*\*\S[^*\n]*\*\*|__\S[^_\n]*__/,
} as const;

export type Mark = keyof typeof MARKS;
export const MARK_NAMES = Object.keys(MARKS) as Mark[];

export function hasMark(text: string, mark: Mark): boolean {
  return MARKS[mark].test(text);
}
