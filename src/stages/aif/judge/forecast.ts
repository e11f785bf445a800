import { JUDGE_MODES } from '../../../judging/panel.ts';
import type { CallForecast } from '../../stage.ts';
import { TOKENS } from '../../token-guesses.ts';
import { promptsAtMost, promptTokens } from '../prompts/step.ts';
import type { AifTeachers } from '../spec.ts';
import type { TeachersJudgeSpec } from './spec.ts';

/**
 * What the judges will be asked, as far as the recipe tells: two answers for each pair of the calibration, then all answers
 * to each prompt. Re-asking and fallback are left out.
 */
export function forecast(
  judge: TeachersJudgeSpec,
  spec: Pick<AifTeachers, 'prompts' | 'answersPerPrompt' | 'answer'>,
): CallForecast[] {
  const labelled: JudgedItems = {
    part: 'calibration',
    items: { count: 'pairs' },
    promptTokens: TOKENS.instruction,
    answers: 2,
    answerTokens: TOKENS.judgedAnswer,
  };
  const answered: JudgedItems = {
    items: promptsAtMost(spec.prompts) ?? { count: 'prompts' },
    promptTokens: promptTokens(spec.prompts),
    answers: spec.answersPerPrompt,
    answerTokens: Math.min(TOKENS.judgedAnswer, spec.answer.maxTokens),
  };
  return [...(judge.calibration === undefined ? [] : judgements(judge, labelled)), ...judgements(judge, answered)];
}

/** What is judged: a number of answers to each item. */
interface JudgedItems {
  readonly part?: string;
  readonly items: CallForecast['items'];
  readonly promptTokens: number;
  readonly answers: number;
  readonly answerTokens: number;
}

type Kind = [calls: number, template: number, texts: number, out: number];

/** Forecasts the calls that `requestMaker` makes. */
function judgements(judge: TeachersJudgeSpec, { promptTokens, answers, answerTokens, ...what }: JudgedItems): CallForecast[] {
  const orders = ordersInTheMean(answers, judge.permutations);
  const sections = TOKENS.judgeTemplate + TOKENS.judgeSection * judge.aspects.length;

  const pairs = Math.min(judge.pairsPerPrompt, (answers * (answers - 1)) / 2);
  const byMode: Record<TeachersJudgeSpec['mode'], Kind> = {
    per_aspect: [orders, TOKENS.judgeTemplate, answers, answers * TOKENS.judgeEntry],
    joint: [orders, sections, answers, answers * TOKENS.judgeEntry],
    pairwise: [pairs * Math.min(2, judge.permutations), sections, 2, TOKENS.judgeEntry],
    expected: [answers, TOKENS.judgeTemplate, 1, 1],
  };
  const { together } = JUDGE_MODES[judge.mode];
  const asked = judge.aspects.length > 0 && together !== undefined ? [together] : judge.aspects;
  const kinds: [purpose: string, ...Kind][] = asked.map((about) => [`judge ${about}`, ...byMode[judge.mode]]);
  if (judge.overall) kinds.push(['judge overall', answers, TOKENS.judgeTemplate, 1, TOKENS.critique]);
  return judge.teachers.flatMap((teacher) =>
    kinds.map(([purpose, callsPerItem, template, texts, outputTokens]) => ({
      teacher,
      purpose,
      ...what,
      callsPerItem,
      inputTokens: template + promptTokens + texts * answerTokens,
      outputTokens,
      maxTokens: judge.maxTokens,
    })),
  );
}

/** The third and the fourth order are drawn anew, and left out where they are the first two again. */
function ordersInTheMean(answers: number, permutations: number): number {
  let all = 1;
  for (let count = 2; count <= answers; count += 1) all *= count;
  return Math.min(2, permutations) + Math.max(0, permutations - 2) * (1 - 2 / all);
}
