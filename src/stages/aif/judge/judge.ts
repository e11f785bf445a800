import { join } from 'node:path';
import { counter } from '../../../base/counter.ts';
import { type Call, callKey } from '../../../calls/call.ts';
import { forEachAtOnce } from '../../../calls/for-each.ts';
import { watchInVain } from '../../../calls/give-up-after.ts';
import { withSession } from '../../../calls/run-calls.ts';
import type { CallSession } from '../../../calls/session.ts';
import { Unanswered } from '../../../calls/unanswered.ts';
import { readParquet } from '../../../datasets/parquet.ts';
import { ZephyrError } from '../../../errors.ts';
import { NO_LOGPROBS } from '../../../judging/expected.ts';
import { familyOverlap } from '../../../judging/families.ts';
import { askSheet, settle } from '../../../judging/judge-once.ts';
import { isJudged, LEGIBLE_AFTER, type Sheet, sheetMaker } from '../../../judging/judge-requests.ts';
import type { Rating } from '../../../judging/rating.ts';
import type { Task, TaskContext, TaskResult } from '../../stage.ts';
import { inputFolder, sessionOf } from '../../step-config.ts';
import { byPrompt, COMPLETIONS_FILE, type Completion } from '../tables.ts';
import { agreementInWords, calibrate } from './calibrate.ts';
import { type JudgeConfig, judgeConfig, type TeachersConfig } from './config.ts';
import { ratingRows } from './rating-rows.ts';
import { rewardRows } from './rewards.ts';
import { writeRatings } from './write-ratings.ts';

/** So many sheets of a judge without a single log-probability, and its server is taken to send none. */
const PROBES = 16;

/**
 * Judges the answers to each prompt: teachers by the sheets of `sheetMaker`, or a reward model whose job has run before.
 * What cannot be read has no rating, with the reason; none is ever made up.
 */
export const judge: Task = async (context) => {
  const config = judgeConfig.parse(context.config);
  const path = join(inputFolder(context, 'completions'), COMPLETIONS_FILE);
  const families = await warnOfFamilies(context, config, path);
  if (config.by === 'teachers') return judgeByTeachers(context, config, path, { judge_family_overlap: families });
  const rowsOf = await rewardRows(context, config);
  const about = `Rewards by ${config.model}.`;
  const report = await writeRatings(
    context.out,
    path,
    about,
    async (answers) => rowsOf(answers),
    () => ({
      judge_family_overlap: families,
    }),
  );
  return { metrics: report, costUsd: 0 };
};

async function judgeByTeachers(
  context: TaskContext,
  config: TeachersConfig,
  path: string,
  more: { readonly judge_family_overlap: readonly string[] },
): Promise<TaskResult> {
  const sheetsOf = await sheetMaker(config, context.files);
  async function* sheets(): AsyncGenerator<Sheet> {
    for await (const completions of byPrompt<Completion>(path)) yield* sheetsOf(completions.filter(isJudged));
  }
  return withSession(sessionOf(context), async (session) => {
    const { calibration } = config;
    const count = await countOf(sheets());
    const calibrated =
      calibration === null ? null : await calibrate(context, { ...config, calibration }, sheetsOf, session, count);
    if (calibrated !== null) context.note(agreementInWords(calibrated));
    session.expect(count);
    if (config.mode === 'expected') await probe(session, sheets(), config, new Unanswered(context));
    const unanswered = new Unanswered(context);
    await askAll(session, sheets(), config, unanswered);
    unanswered.check(session);

    const reasons = counter();
    const settledBy = counter();
    async function rowsOf(answers: readonly Completion[], injected: ReadonlySet<string>): Promise<Rating[]> {
      const rows: Rating[] = [];
      for (const sheet of sheetsOf(answers.filter(isJudged))) {
        const settled = await settle(sheet, (call) => session.read(callKey(call)));
        settledBy.add(settled.by);
        if (!settled.reading.ok) reasons.add(settled.reading.why, sheet.form.cells.length);
        rows.push(...ratingRows(sheet, settled, injected));
      }
      return rows;
    }
    const about = `Rated by ${config.judges.map(({ model }) => model).join(', ')}.`;
    const report = await writeRatings(context.out, path, about, rowsOf, () => ({
      settled_by: settledBy.counts(),
      not_read: reasons.counts(),
      calibration: calibrated,
      ...more,
    }));
    noteUnread(context, settledBy.counts(), reasons.counts());
    const { costUsd, promptTokens, completionTokens, possibleDoubleSpend, recovered } = session.summary();
    const tokens = { prompt_tokens: promptTokens, completion_tokens: completionTokens };
    return { metrics: { ...report, ...tokens, possible_double_spend: possibleDoubleSpend, recovered }, costUsd };
  });
}

/**
 * Every sheet until it can be read or nobody is left to ask; the replies are in the call log afterwards. `unread` hears
 * of those that nobody gave a reply to that can be read, and why. Throws (usage) where nothing that a judge replies can
 * be read: all would be paid for nothing.
 */
async function askAll(
  session: CallSession,
  sheets: AsyncIterable<Sheet> | Iterable<Sheet>,
  { judges }: TeachersConfig,
  unanswered: Unanswered,
  unread: (sheet: Sheet, why: string) => void = () => {},
): Promise<void> {
  const most = () => session.inHand;
  const seats = watchInVain<number>(LEGIBLE_AFTER);
  let hopeless: ZephyrError | undefined;
  await forEachAtOnce(sheets, most, async (sheet) => {
    const ask = (call: Call) => {
      if (hopeless !== undefined) throw hopeless;
      return session.ask(call);
    };
    const { reading, key } = await askSheet(sheet, ask, unanswered);
    // The call engine keeps count of those that bring no reply.
    if (reading.ok || reading.status !== 'missing') seats.heard(sheet.seat, reading.ok);
    if (reading.ok) return;
    unread(sheet, reading.why);
    if (reading.why === NO_LOGPROBS || !seats.isHopeless(sheet.seat)) return;
    hopeless ??= illegible(judges[sheet.seat]?.model ?? '', reading.why, (await session.read(key))?.text ?? '');
    throw hopeless;
  });
}

/** Characters of a reply that are shown. */
const SHOWN = 160;

function illegible(model: string, why: string, text: string): ZephyrError {
  const advice = why.includes('"length"') ? 'raise aif.judge.maxTokens' : 'take another judge, or another aif.judge.mode';
  const said = JSON.stringify(text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}...`);
  return new ZephyrError(`Cannot read what judge "${model}" replies: of its first ${LEGIBLE_AFTER} replies none, since ${why}`, {
    hint: `${advice}; it said ${said}`,
  });
}

/** What the ratings lack, once they are made: each was paid for. */
function noteUnread({ note }: TaskContext, by: Readonly<Record<string, number>>, why: Readonly<Record<string, number>>): void {
  const all = Object.values(by).reduce((sum, count) => sum + count, 0);
  const { nobody = 0, fallback = 0 } = by;
  const [most] = Object.keys(why);
  if (nobody > 0) note(`${nobody} of ${all} judgements could not be read and give no rating, most since ${most}`);
  if (fallback > 0) note(`${fallback} of ${all} judgements are the fallback's, since no reply of the judge could be read`);
}

/** The first sheets of every judge go ahead: were its server to send no log-probabilities, all would be paid for nothing. */
async function probe(
  session: CallSession,
  sheets: AsyncIterable<Sheet>,
  config: TeachersConfig,
  unanswered: Unanswered,
): Promise<void> {
  const { judges } = config;
  const first = judges.map((): Sheet[] => []);
  for await (const sheet of sheets) {
    const own = first[sheet.seat];
    if (sheet.form.topLogprobs !== undefined && own !== undefined && own.length < PROBES) own.push(sheet);
    if (first.every(({ length }) => length === PROBES)) break;
  }
  const silent = judges.map(() => 0);
  await askAll(session, first.flat(), config, unanswered, ({ seat }, why) => {
    if (why === NO_LOGPROBS) silent[seat] = (silent[seat] ?? 0) + 1;
  });
  const mute = judges.find((_, seat) => silent[seat] !== 0 && silent[seat] === first[seat]?.length);
  if (mute !== undefined)
    throw new ZephyrError(`Cannot expect ratings of "${mute.model}": its server sends no log-probabilities`, {
      exit: 'preflight',
      hint: 'ask it at another server, or take another aif.judge.mode',
    });
}

/** Families that judge their own kind, for the report; said before anything is paid. */
async function warnOfFamilies(context: TaskContext, config: JudgeConfig, path: string): Promise<string[]> {
  const judges = config.by === 'teachers' ? config.judges.map(({ model }) => model) : [config.model];
  const models = new Set<string>();
  for await (const { model } of readParquet(path, ['model'])) models.add(String(model));
  const families = familyOverlap(judges, models);
  if (families.length > 0)
    context.note(`The judge may favour its own family: ${families.join(', ')} both judges and answers; see mean_by_model`);
  return families;
}

async function countOf(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of items) count += 1;
  return count;
}
