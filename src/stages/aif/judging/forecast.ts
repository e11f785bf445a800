import type { CallForecast } from '../../stage.ts';
import type { AifTeachers } from '../spec.ts';
import type { TeachersJudgeSpec } from './spec.ts';

/** Tokens in the mean: of an instruction and an answer in UltraFeedback; of our templates and of replies to them. */
const PROMPT = 150;
const ANSWER = 353;
const TEMPLATE = 400;
const ENTRY = 90;
const CRITIQUE = 250;
/** of a section of its own in a template for several aspects */
const SECTION = 220;

/** Prompts of all sources, none being dropped; null where only a dataset knows. */
function promptsIn({ sources }: AifTeachers['prompts']): number | null {
  const counts = sources.map(({ list, rows }) => (list.length > 0 ? Math.min(list.length, rows ?? list.length) : rows));
  return counts.reduce<number | null>((sum, count) => (sum === null || count === null ? null : sum + count), 0);
}

/** What the judges will be asked, as far as the recipe tells; re-asking and fallback are left out. */
export function forecast(
  judge: TeachersJudgeSpec,
  spec: Pick<AifTeachers, 'prompts' | 'answersPerPrompt' | 'answer'>,
): CallForecast[] {
  const answers = spec.answersPerPrompt;
  const answer = Math.min(ANSWER, spec.answer.maxTokens);
  const items = promptsIn(spec.prompts);
  const orders = answers > 2 ? judge.permutations : Math.min(2, judge.permutations);
  const sections = TEMPLATE + SECTION * judge.aspects.length;

  const kinds: [purpose: string, calls: number, template: number, texts: number, out: number][] = [];
  if (judge.aspects.length > 0) {
    if (judge.mode === 'joint') kinds.push(['judge joint', orders, sections, answers, answers * ENTRY]);
    if (judge.mode === 'pairwise') {
      const pairs = Math.min(judge.pairsPerPrompt, (answers * (answers - 1)) / 2);
      kinds.push(['judge comparison', pairs * Math.min(2, judge.permutations), sections, 2, ENTRY]);
    }
    for (const aspect of judge.aspects) {
      if (judge.mode === 'per_aspect') kinds.push([`judge ${aspect}`, orders, TEMPLATE, answers, answers * ENTRY]);
      if (judge.mode === 'expected') kinds.push([`judge ${aspect}`, answers, TEMPLATE, 1, 1]);
    }
  }
  if (judge.overall) kinds.push(['judge overall', answers, TEMPLATE, 1, CRITIQUE]);
  return judge.teachers.flatMap((teacher) =>
    kinds.map(([purpose, callsPerItem, template, texts, outputTokens]) => ({
      teacher,
      purpose,
      items,
      callsPerItem,
      inputTokens: template + PROMPT + texts * answer,
      outputTokens,
      maxTokens: judge.maxTokens,
    })),
  );
}
