/** Whether a judge is told to give the grade of one answer in double brackets, as by MT-Bench's prompts. */
export const asksForGrade = (told: string): boolean => /\[\[rating\]\]/i.test(told);

/** The line above an answer, and the one that ends it: `[The Start of Assistant's Answer]`, `### Assistant A:`. */
const OPENING = /^(?:\[The Start of .*Answer\]|###\s*Assistant\b.*:)\s*$/i;
const CLOSING = /^(?:\[The End of .*\]|<\|The End of .*\|>|###\s*User\b.*:)\s*$/i;

/** The last answer in such a prompt, which is the one to be graded, and what stands before it. */
export function gradedTurn(prompt: string): { readonly before: string; readonly answer: string } {
  const lines = prompt.split('\n');
  const opening = lines.findLastIndex((line) => OPENING.test(line));
  if (opening < 0) return { before: prompt, answer: '' };
  const length = lines.slice(opening + 1).findIndex((line) => CLOSING.test(line));
  const end = length < 0 ? lines.length : opening + 1 + length;
  return {
    before: lines.slice(0, opening).join('\n'),
    answer: lines
      .slice(opening + 1, end)
      .join('\n')
      .trim(),
  };
}
