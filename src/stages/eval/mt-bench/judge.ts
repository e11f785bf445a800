import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../../base/sha256.ts';
import { type Call, callKey } from '../../../calls/call.ts';
import { repliesTo } from '../../../calls/replies.ts';
import { withSession } from '../../../calls/run-calls.ts';
import type { CallSession } from '../../../calls/session.ts';
import { estimate } from '../../../judging/estimate.ts';
import { type Grade, readGrade } from '../../../judging/grade.ts';
import { meanOf } from '../../../judging/verdict.ts';
import type { EvaluationItem, RejudgedModel } from '../../../model/evaluation.ts';
import type { Task, TaskContext } from '../../stage.ts';
import { inputFolder, sessionOf } from '../../step-config.ts';
import { judgeIdentity, judgeRounds } from '../judges.ts';
import { differenceOf } from '../rejudged.ts';
import { type ScoredItems, writeScored } from '../scored.ts';
import { type GradeConfig, type Rejudged, SCALE } from './config.ts';
import { JUDGE_PROMPTS, QUESTIONS, REFERENCES } from './data.ts';
import { rejudgedFile } from './rejudged.ts';
import { ownAnswers, publicAnswers, readTurns, type TurnToGrade } from './turns.ts';

/** One question to a judge. */
interface AskedGrade {
  readonly turn: TurnToGrade;
  readonly judge: string;
  readonly pass: number;
  readonly call: Call;
}

/**
 * Every judge grades each turn by itself, as often as it is to be asked: the protocol of MT-Bench (Zheng et al. 2023, FastChat's
 * `llm_judge`, mode `single`). A turn's score is the mean of what the first judge said; a reply without a rating is dropped
 * and counted. Writes a scored folder whose items are the turns, clustered by question.
 */
export const judge: Task = async (context) => {
  const { judges, rejudge = [] } = context.config as GradeConfig;
  const own = await readTurns(context, await ownAnswers(context), 'the model');
  const others = await Promise.all(
    rejudge.map(async (other, index) => ({
      ...other,
      turns: await readTurns(context, await publicAnswers(context, rejudgedFile(index)), other.model),
    })),
  );
  const calls = [own, ...others.map(({ turns }) => turns)].flatMap((turns) => callsFor(context, turns));
  return await withSession(sessionOf(context), async (session) => {
    const verdicts = await ask(context, session, calls);
    const main = judges[0]?.teacher ?? '';
    const itemsOf = (turns: readonly TurnToGrade[]) => turns.map((turn) => itemOf(turn, verdicts.get(turn) ?? [], main));
    const items = itemsOf(own);
    const rejudged = others.map(({ turns, model, answers }) => rejudgedModel({ model, answers }, items, itemsOf(turns)));
    const benchmark = { ...(await benchmarkOf(context, items)), ...(rejudged.length === 0 ? {} : { rejudged }) };
    const [written] = await writeScored(context.out, [{ benchmark, items }]);
    return { metrics: { score: written?.value ?? null, graded: written?.n ?? 0 }, costUsd: session.summary().costUsd };
  });
};

/** To every judge, in every pass. */
function callsFor({ config }: TaskContext, turns: readonly TurnToGrade[]): AskedGrade[] {
  const { judges, repeats } = config as GradeConfig;
  const rounds = judgeRounds(judges, repeats);
  return turns.flatMap((turn) => {
    const { messages } = turn;
    if (messages === undefined) return [];
    return rounds.map(({ judge: name, pass, call }) => ({ turn, judge: name, pass, call: call('mt-bench', messages) }));
  });
}

function rejudgedModel(of: Rejudged, own: readonly EvaluationItem[], theirs: readonly EvaluationItem[]): RejudgedModel {
  const scores = theirs.flatMap(({ score }) => score ?? []);
  return {
    ...of,
    n: scores.length,
    value: meanOf(scores),
    estimate: estimate(theirs),
    difference: differenceOf(own, theirs),
  };
}

type TurnVerdict = Grade & { readonly judge: string; readonly pass: number; readonly text: string };

async function ask(
  context: TaskContext,
  session: CallSession,
  asked: readonly AskedGrade[],
): Promise<ReadonlyMap<TurnToGrade, readonly TurnVerdict[]>> {
  const replies = await repliesTo(context, session, asked);
  const verdicts = new Map<TurnToGrade, TurnVerdict[]>();
  for (const { turn, judge: name, pass, call } of asked) {
    const text = replies.get(callKey(call))?.text;
    const grade: Grade = text === undefined ? { score: null, why: 'no reply of the judge' } : readGrade(text, SCALE);
    verdicts.set(turn, [...(verdicts.get(turn) ?? []), { ...grade, judge: name, pass, text: text ?? '' }]);
  }
  return verdicts;
}

function itemOf({ question, turn, answer }: TurnToGrade, verdicts: readonly TurnVerdict[], main: string): EvaluationItem {
  const own = verdicts.filter(({ judge: name }) => name === main);
  const scores = own.flatMap(({ score }) => score ?? []);
  const first = own[0];
  const item = {
    id: `${question.question_id}-${turn}`,
    cluster: String(question.question_id),
    group: question.category,
    turn,
    prompt: question.turns[turn - 1],
    answer: answer.text,
    tokens: answer.tokens,
    ended: answer.finish_reason === 'stop',
    judged: verdicts.map(({ judge: name, pass, score }) => ({ judge: name, pass, score })),
    verdict: first?.text ?? '',
  };
  const score = meanOf(scores);
  if (score !== null) return { ...item, score };
  const why = first === undefined ? 'prompt too long for the model' : 'why' in first ? first.why : 'no rating in the reply';
  return { ...item, score: null, dropped: why };
}

async function benchmarkOf(context: TaskContext, items: readonly EvaluationItem[]): Promise<ScoredItems['benchmark']> {
  const { judges, repeats, protocol } = context.config as GradeConfig;
  const data = inputFolder(context, 'data');
  const digest = async (name: string) => sha256(await readFile(join(data, name)));
  const [main] = judges;
  return {
    name: 'mt-bench',
    title: 'MT-Bench',
    metric: 'score',
    scale: [...SCALE],
    figures: figuresOf(items),
    protocol: {
      ...protocol,
      judge: main === undefined ? null : judgeIdentity(main),
      judge_repeats: repeats,
      questions_sha256: await digest(QUESTIONS),
      judge_prompts_sha256: await digest(JUDGE_PROMPTS),
      references_sha256: await digest(REFERENCES),
    },
    notes: ['The standard error is reckoned over questions: the two turns of one are not independent.'],
  };
}

/** Means of each turn, the mean of the categories' means, and what answers are like. */
export function figuresOf(items: readonly EvaluationItem[]): Record<string, number | null> {
  const scored = items.filter(({ score }) => score !== null);
  const scoresOf = (some: readonly EvaluationItem[]) => some.flatMap(({ score }) => score ?? []);
  const groups = [...Map.groupBy(scored, ({ group }) => group).values()].flatMap((some) => meanOf(scoresOf(some)) ?? []);
  return {
    turn_1: meanOf(scoresOf(scored.filter(({ turn }) => turn === 1))),
    turn_2: meanOf(scoresOf(scored.filter(({ turn }) => turn === 2))),
    mean_of_categories: meanOf(groups),
    tokens_per_answer: meanOf(items.map(({ tokens }) => tokens as number)),
    answers_cut_off: items.filter(({ ended }) => ended !== true).length,
  };
}
