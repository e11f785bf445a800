import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { type Call, callKey } from '../../../calls/call.ts';
import { repliesTo } from '../../../calls/replies.ts';
import { withSession } from '../../../calls/run-calls.ts';
import type { CallSession } from '../../../calls/session.ts';
import { datasetCard } from '../../../datasets/card.ts';
import { writeLines } from '../../../datasets/line-file.ts';
import { readRows } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task, TaskContext } from '../../stage.ts';
import { inputFolder, sessionOf } from '../../step-config.ts';
import { judgeRounds } from '../judges.ts';
import { type ChoiceConfig, TOP_LOGPROBS } from './config.ts';

const message = z.strictObject({ role: z.enum(['system', 'user']), content: z.string() });
const request = z.looseObject({
  id: z.string(),
  version: z.literal([1, 2]),
  model: z.string(),
  messages: z.array(message).nullable(),
});

/** A pair of answers for one judge. */
interface AskedPair {
  /** which pair it is, and who is asked which time */
  readonly of: {
    readonly id: string;
    readonly version: 1 | 2;
    readonly model: string;
    readonly judge: string;
    readonly pass: number;
  };
  readonly call: Call;
}

const JUDGMENTS = 'judgments.jsonl';
const ABOUT = 'What judges replied to the requests of AlpacaEval, word by word.';

/** Asks every judge about each pair, as often as it is to be asked, and writes down the replies: what they mean the package says. */
export const judgePairs: Task = async (context) => {
  const asked = await readAsked(context);
  return await withSession(sessionOf(context), async (session) => {
    const rows = await ask(context, session, asked);
    checkAlternatives(rows);
    await writeLines(join(context.out, JUDGMENTS), rows);
    const card = datasetCard('AlpacaEval judgments', ABOUT, { default: { test: JUDGMENTS } });
    await writeFile(join(context.out, 'README.md'), card);
    return { metrics: { judged: rows.length }, costUsd: session.summary().costUsd };
  });
};

async function readAsked(context: TaskContext): Promise<AskedPair[]> {
  const { judges, repeats } = context.config as ChoiceConfig;
  const asked: AskedPair[] = [];
  for await (const row of readRows(join(inputFolder(context, 'requests'), 'requests.jsonl'))) {
    const { id, version, model, messages } = request.parse(row);
    if (messages === null) continue;
    const alternatives = version === 2 ? { top_logprobs: TOP_LOGPROBS } : {};
    for (const { judge, pass, call } of judgeRounds(judges[version] ?? [], repeats)) {
      const asking = { ...call(`alpaca-eval-${version}`, messages), ...alternatives };
      asked.push({ of: { id, version, model, judge, pass }, call: asking });
    }
  }
  return asked;
}

type JudgmentRow = AskedPair['of'] & { text: string; alternatives: { token: string; logprob: number }[] | null };

/** Two models may have given the same answer: their pairs are one call. */
async function ask(context: TaskContext, session: CallSession, asked: readonly AskedPair[]): Promise<JudgmentRow[]> {
  const replies = await repliesTo(context, session, asked);
  return asked.flatMap(({ of, call }) => {
    const reply = replies.get(callKey(call));
    if (reply === undefined) return [];
    const alternatives = reply.alternatives?.map(({ token, logprob }) => ({ token, logprob })) ?? null;
    return [{ ...of, text: reply.text, alternatives }];
  });
}

/** A judge without log-probabilities has no verdicts in version 2, which nobody should learn from a value that is missing. */
function checkAlternatives(rows: readonly JudgmentRow[]): void {
  const weighed = Map.groupBy(
    rows.filter(({ version }) => version === 2),
    ({ judge }) => judge,
  );
  for (const [judge, found] of weighed) {
    if (found.some(({ alternatives }) => alternatives !== null && alternatives.length > 0)) continue;
    throw new ZephyrError(`Cannot score AlpacaEval 2 by "${judge}": its server sends no log-probabilities`, {
      exit: 'jobFailed',
      hint: 'name a judge whose server does, or ask for the ranking of version 1 alone: eval.alpaca-eval.versions=[1]',
    });
  }
}
