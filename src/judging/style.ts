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
