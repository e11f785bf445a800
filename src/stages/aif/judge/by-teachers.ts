import { counter } from '../../../base/counter.ts';
import { callKey } from '../../../calls/call.ts';
import { withSession } from '../../../calls/run-calls.ts';
import { Unanswered } from '../../../calls/unanswered.ts';
import { judgeOnce, ratingRows } from '../../../judging/judge-once.ts';
import { isJudged, type JudgeRequest, requestMaker } from '../../../judging/judge-requests.ts';
import type { Rating } from '../../../judging/rating.ts';
import type { TaskContext, TaskResult } from '../../stage.ts';
import { sessionOf } from '../../step-config.ts';
import { byPrompt, type Completion } from '../tables.ts';
import { askAll, probe } from './ask-all.ts';
import { agreementInWords, calibrate } from './calibrate.ts';
import type { TeachersConfig } from './config.ts';
import { writeRatings } from './write-ratings.ts';

/** Rates the completions in the file at `path`. `families`: those that judge their own kind, for the report. */
export async function judgeByTeachers(
  context: TaskContext,
  config: TeachersConfig,
  path: string,
  families: readonly string[],
): Promise<TaskResult> {
  const { calibration, judges } = config;
  const requestsFor = await requestMaker(config, context.files);
  async function* requests(): AsyncGenerator<JudgeRequest> {
    for await (const completions of byPrompt<Completion>(path)) yield* requestsFor(completions.filter(isJudged));
  }
  return withSession(sessionOf(context), async (session) => {
    const asking = { session, judges, requestsFor };
    let count = 0;
    for await (const _ of requests()) count += 1;
    const calibrated = calibration === null ? null : await calibrate(context, calibration, asking, count);
    if (calibrated !== null) context.note(agreementInWords(calibrated));
    session.expect(count);
    if (config.mode === 'expected') await probe({ ...asking, unanswered: new Unanswered(context) }, requests());
    const unanswered = new Unanswered(context);
    await askAll({ ...asking, unanswered }, requests());
    unanswered.check(session);

    const reasons = counter();
    const settledBy = counter();
    async function rowsOf(answers: readonly Completion[], injected: ReadonlySet<string>): Promise<Rating[]> {
      const rows: Rating[] = [];
      for (const request of requestsFor(answers.filter(isJudged))) {
        const judgement = await judgeOnce(request, (call) => session.read(callKey(call)));
        settledBy.add(judgement.by);
        if (!judgement.reading.ok) reasons.add(judgement.reading.why, request.format.slots.length);
        rows.push(...ratingRows(request, judgement, injected));
      }
      return rows;
    }
    const report = await writeRatings(context.out, path, {
      about: `Rated by ${judges.map(({ model }) => model).join(', ')}.`,
      rowsOf,
      more: () => ({
        settled_by: settledBy.counts(),
        not_read: reasons.counts(),
        calibration: calibrated,
        judge_family_overlap: families,
      }),
    });
    noteUnread(context, settledBy.counts(), reasons.counts());
    const { costUsd, promptTokens, completionTokens, possibleDoubleSpend, recovered } = session.summary();
    const tokens = { prompt_tokens: promptTokens, completion_tokens: completionTokens };
    return { metrics: { ...report, ...tokens, possible_double_spend: possibleDoubleSpend, recovered }, costUsd };
  });
}

/** Says what the ratings lack once they are made, since each of these calls was paid for. */
function noteUnread({ note }: TaskContext, by: Readonly<Record<string, number>>, why: Readonly<Record<string, number>>): void {
  const all = Object.values(by).reduce((sum, count) => sum + count, 0);
  const { nobody = 0, fallback = 0 } = by;
  const [most] = Object.keys(why);
  if (nobody > 0) note(`${nobody} of ${all} judgements could not be read and give no rating, most since ${most}`);
  if (fallback > 0) note(`${fallback} of ${all} judgements are the fallback's, since no reply of the judge could be read`);
}
