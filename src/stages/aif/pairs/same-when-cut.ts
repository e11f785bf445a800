/**
 * Characters of a token on average, before the trainer's tokenizer is at hand: English prose in
 * UltraFeedback (1,400 characters and 350 tokens an answer). Code and most other languages have fewer.
 */
const CHARACTERS_PER_TOKEN = 4;

/** How the trainer cuts, in tokens: see `truncate` in scripts/train/preference_rows.py. */
export interface Trainer {
  readonly max_length: number;
  readonly max_prompt_length: number;
}

/**
 * Whether nothing of the difference between two answers is left once the trainer has cut them: such a pair carries no
 * gradient. An estimate by characters, without the chat template's own tokens; the prepare step of ddpo drops such pairs
 * by their tokens.
 */
export function sameWhenCut(prompt: string, chosen: string, rejected: string, trainer: Trainer): boolean {
  const tokens = (text: string) => Math.ceil(text.length / CHARACTERS_PER_TOKEN);
  const answer = Math.max(tokens(chosen), tokens(rejected));
  const asked = tokens(prompt);
  if (asked + answer <= trainer.max_length) return false;
  if (Math.min(asked, trainer.max_prompt_length) + answer <= trainer.max_length) return false;
  const room = (trainer.max_length - trainer.max_prompt_length) * CHARACTERS_PER_TOKEN;
  return chosen.slice(0, room) === rejected.slice(0, room);
}
