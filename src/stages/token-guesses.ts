/** Tokens in the mean, as a forecast of calls takes them while no text is there to be counted. */
export const TOKENS = {
  /** an instruction of UltraFeedback, an answer to one, and that answer within the lines that frame it for a judge */
  instruction: 150,
  answer: 350,
  judgedAnswer: 353,
  /** a principle, the system turn of an answer */
  principle: 20,
  /** templates/judge-*.md: instructions for one aspect, and the section of each in those for several */
  judgeTemplate: 400,
  judgeSection: 220,
  /** a judge's reply: the entry of one answer, and a critique */
  judgeEntry: 90,
  critique: 250,
  /** turns of UltraChat's size: of the user, and of the assistant */
  userTurn: 40,
  assistantTurn: 300,
  /** a dialogue of ultrachat_200k with Mistral's tokenizer: 1,090 steps of 128 x 2,048 for 207,865 (zephyr-7b-sft-full) */
  dialogue: 1374,
  /** templates/user-*.md */
  userTemplate: 110,
  subtopic: 8,
  /** what elaborating adds to an instruction */
  detail: 40,
  /** a text that exists, where it may be longer */
  material: 400,
} as const;
