import { join } from 'node:path';
import type * as z from 'zod';
import { type Call, callKey } from '../../../calls/call.ts';
import { repliesTo } from '../../../calls/replies.ts';
import { withSession } from '../../../calls/run-calls.ts';
import type { CallSession } from '../../../calls/session.ts';
import { readRows } from '../../../datasets/rows.ts';
import { meanOf } from '../../../judging/verdict.ts';
import type { EvaluationItem } from '../../../model/evaluation.ts';
import type { Task, TaskContext } from '../../stage.ts';
import { inputFolder, sessionOf } from '../../step-config.ts';
import { TOO_LONG } from '../answers.ts';
import { judgeIdentity, judgeRounds } from '../judges.ts';
import { type ModelAnswer, readAnswers } from '../read-answers.ts';
import { type ScoredItems, writeScored } from '../scored.ts';
import { BASELINES, type PairsConfig } from './config.ts';
import { arenaPrompt, PROMPTS } from './data.ts';
import { messagesOn, PROMPT_DIGEST } from './prompt.ts';
import { type Game, readGame, winShare } from './verdict.ts';

/** Our answer beside the baseline's. */
interface RivalAnswers {
  readonly asked: z.infer<typeof arenaPrompt>;
  readonly own: ModelAnswer;
}

/** One question to a judge, in which ours stands as A or as B. */
interface AskedGame {
  readonly pair: RivalAnswers;
  readonly ours: 'A' | 'B';
  readonly judge: string;
  readonly pass: number;
  readonly call: Call;
}

type Played = AskedGame & { readonly text: string; readonly game: Game | undefined };

/**
 * Every judge compares each answer with the baseline's in both orders (Li et al. 2024, arena-hard-auto). A prompt's score is the
 * mean share of the first judge's games, strong verdicts counted three times; where one cannot be read the prompt is dropped
 * and counted.
 */
export const judgeGames: Task = async (context) => {
  const { judges } = context.config as PairsConfig;
  const pairs = await readPairs(context);
  const asked = pairs.flatMap((pair) => gamesOf(context, pair));
  return await withSession(sessionOf(context), async (session) => {
    const played = Map.groupBy(await ask(context, session, asked), ({ pair }) => pair);
    const items = pairs.map((pair) => itemOf(pair, played.get(pair) ?? [], judges[0]?.teacher ?? ''));
    const [written] = await writeScored(context.out, [{ benchmark: benchmarkOf(context, items), items }]);
    return { metrics: { win_rate: written?.value ?? null, judged: written?.n ?? 0 }, costUsd: session.summary().costUsd };
  });
};

async function readPairs(context: TaskContext): Promise<RivalAnswers[]> {
  const prompts: RivalAnswers['asked'][] = [];
  for await (const row of readRows(join(inputFolder(context, 'prompts'), PROMPTS))) prompts.push(arenaPrompt.parse(row));
  const ids = prompts.map(({ prompt_id }) => prompt_id);
  const answers = await readAnswers(inputFolder(context, 'answers'), ids);
  return prompts.map((asked) => ({ asked, own: answers.get(asked.prompt_id) as ModelAnswer }));
}

function gamesOf({ config }: TaskContext, pair: RivalAnswers): AskedGame[] {
  const { judges, repeats } = config as PairsConfig;
  const { prompt_id: id, prompt, baseline } = pair.asked;
  if (baseline === null || pair.own.finish_reason === TOO_LONG) return [];
  return judgeRounds(judges, repeats).flatMap(({ judge, pass, call }) =>
    (['A', 'B'] as const).map((ours): AskedGame => {
      const messages = messagesOn(id, prompt, ours === 'A' ? [pair.own.text, baseline] : [baseline, pair.own.text]);
      return { pair, ours, judge, pass, call: call(`arena-hard, ours as ${ours}`, messages) };
    }),
  );
}

async function ask(context: TaskContext, session: CallSession, asked: readonly AskedGame[]): Promise<Played[]> {
  const replies = await repliesTo(context, session, asked);
  return asked.map((each) => {
    const text = replies.get(callKey(each.call))?.text ?? '';
    return { ...each, text, game: readGame(text, each.ours) };
  });
}

function itemOf({ asked, own }: RivalAnswers, played: readonly Played[], main: string): EvaluationItem {
  const rounds = [...Map.groupBy(played, ({ judge, pass }) => `${pass} ${judge}`).values()];
  const judged = rounds.map((both) => {
    const { judge, pass } = both[0] as Played;
    return { judge, pass, score: scoreOf(both) };
  });
  const games = played.filter(({ judge }) => judge === main);
  const score = scoreOf(games);
  const item = {
    id: asked.prompt_id,
    cluster: asked.prompt_id,
    group: asked.category,
    prompt: asked.prompt,
    answer: own.text,
    tokens: own.tokens,
    characters: own.text.length,
    baseline_characters: asked.baseline?.length ?? null,
    judged,
    verdicts: games.map(({ ours, text }) => ({ ours, text })),
    score,
  };
  return score === null ? { ...item, dropped: whyDropped(asked, own) } : item;
}

/** Both orders or none: one alone has the judge's liking for a place in it. */
function scoreOf(played: readonly Played[]): number | null {
  const games = played.flatMap(({ game }) => game ?? []);
  return games.length === 0 || games.length < played.length ? null : winShare(games);
}

function whyDropped({ baseline }: RivalAnswers['asked'], own: ModelAnswer): string {
  if (baseline === null) return 'no answer of the baseline';
  return own.finish_reason === TOO_LONG ? 'prompt too long for the model' : 'no verdict in a reply';
}

function benchmarkOf({ config }: TaskContext, items: readonly EvaluationItem[]): ScoredItems['benchmark'] {
  const { judges, repeats, protocol } = config as PairsConfig;
  const [main] = judges;
  const mean = (name: 'tokens' | 'characters' | 'baseline_characters') =>
    meanOf(items.flatMap((item) => (item[name] as number | null) ?? []));
  return {
    name: 'arena-hard-v2',
    title: 'Arena-Hard v2',
    metric: 'win rate',
    scale: [0, 1],
    figures: {
      tokens_per_answer: mean('tokens'),
      characters_per_answer: mean('characters'),
      characters_per_baseline_answer: mean('baseline_characters'),
    },
    protocol: {
      ...protocol,
      baselines: BASELINES,
      orders: 2,
      judge: main === undefined ? null : judgeIdentity(main),
      judge_repeats: repeats,
      judge_prompt: 'own',
      judge_prompt_sha256: PROMPT_DIGEST,
    },
    notes: [
      "The judge's prompt is of our own wording and there is no style control: not the number of a leaderboard.",
      'Strong verdicts count three times within a prompt, and every prompt counts the same.',
    ],
  };
}
