import { sha256 } from '../../../base/sha256.ts';
import { forEachAtOnce } from '../../../calls/run-calls.ts';
import { Unanswered } from '../../../calls/unanswered.ts';
import { decoded, type Turn } from '../../../datasets/conversation.ts';
import type { Row } from '../../../datasets/parquet.ts';
import { PREFERENCE_COLUMNS, PREFERENCE_SHAPES, preferenceOf } from '../../../datasets/preference.ts';
import { readSplit } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import { cohenKappa, type Interval, share } from '../../../judging/agreement.ts';
import { askJudge, ratingRows } from '../../../judging/judge-once.ts';
import type { AnswerToJudge, RequestsFor } from '../../../judging/judge-requests.ts';
import { scoreOfAnswer } from '../../../judging/verdict.ts';
import type { TaskContext } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import type { JudgeSession } from './ask-all.ts';
import type { TeachersConfig } from './config.ts';

/** A pair that people have decided. */
interface LabelledPair {
  readonly chosen: AnswerToJudge;
  readonly rejected: AnswerToJudge;
}

/** How far the judge agrees with people, as the report has it. */
export type Calibrated = {
  readonly pairs: number;
  /** pairs on which the judge could be read, those that it finds equal included */
  readonly read: number;
  readonly ties: number;
  readonly agreement: Plain | null;
  readonly kappa: Plain | null;
};
/** As plain data. */
type Plain = { readonly [name in keyof Interval]: Interval[name] };

/**
 * Judges pairs that carry human labels in the very way in which answers are judged, and compares. Throws (usage) where
 * the agreement is below a minimum of the config, so that nothing else is paid. `after`: calls that follow otherwise.
 */
export async function calibrate(
  context: TaskContext,
  calibration: NonNullable<TeachersConfig['calibration']>,
  { session, judges, requestsFor }: Omit<JudgeSession, 'unanswered'> & { readonly requestsFor: RequestsFor },
  after: number,
): Promise<Calibrated> {
  const pairs = await readPairs(inputFolder(context, 'calibration'), calibration);
  const unanswered = new Unanswered(context);
  session.expect(pairs.reduce((sum, { chosen, rejected }) => sum + requestsFor([chosen, rejected]).length, after));
  const verdicts = new Array<readonly [human: string, judge: string] | undefined>(pairs.length);
  const most = () => session.inHand;
  await forEachAtOnce(pairs.entries(), most, async ([index, { chosen, rejected }]) => {
    const requests = requestsFor([chosen, rejected]);
    const rows = await Promise.all(
      requests.map(async (request) => {
        const judgement = await askJudge(request, (call) => session.ask(call), unanswered);
        return ratingRows(request, judgement, new Set());
      }),
    );
    const [won, lost] = [chosen, rejected].map(({ completion_id }) =>
      scoreOfAnswer(rows.flat().filter((row) => row.completion_id === completion_id)),
    ) as [number | null, number | null];
    if (won === null || lost === null) return;
    // Answers are told apart by their ids, which do not depend on the label: if people always chose "the first", kappa would be 0.
    const names = chosen.completion_id < rejected.completion_id ? (['first', 'second'] as const) : (['second', 'first'] as const);
    verdicts[index] = [names[0], won === lost ? 'tie' : won > lost ? names[0] : names[1]];
  });
  unanswered.check(session);
  const read = verdicts.filter((verdict) => verdict !== undefined);
  const ties = read.filter(([, judge]) => judge === 'tie').length;
  const agreed = read.filter(([human, judge]) => human === judge).length;
  const found = { pairs: pairs.length, read: read.length, ties, agreement: share(agreed + ties / 2, read.length) };
  const kappa = cohenKappa(read);
  refuseBelow('agreement', found.agreement, calibration.min_agreement);
  refuseBelow('kappa', kappa, calibration.min_kappa);
  return { ...found, kappa };

  function refuseBelow(name: string, value: Interval | null, least: number | null): void {
    if (least === null || (value !== null && value.value >= least)) return;
    const got = value === null ? 'none' : `${round(value.value)} (95 % interval ${round(value.low)} to ${round(value.high)})`;
    const models = judges.map(({ model }) => `"${model}"`).join(', ');
    throw new ZephyrError(
      `Cannot trust the judge ${models}: expected ${name} with ${read.length} human labels of at least ${least}, got ${got}`,
      {
        hint: 'no answer was judged yet; take another judge, mode or aspects, or lower the minimum in aif.judge.calibration',
      },
    );
  }
}

export function agreementInWords({ pairs, read, agreement, kappa }: Calibrated): string {
  const lost = read === pairs ? '' : `, ${pairs - read} of ${pairs} could not be read`;
  const beyond = kappa === null ? '' : `, kappa ${round(kappa.value)}`;
  if (agreement === null) return `Nothing that the judge said of ${pairs} human labels could be read`;
  return `The judge agrees with ${round(100 * agreement.value, 0)} % of ${read} human labels${beyond}${lost}`;
}

const round = (value: number, digits = 2) => value.toFixed(digits);

async function readPairs(folder: string, wanted: { readonly config?: string; readonly split: string }): Promise<LabelledPair[]> {
  const pairs: LabelledPair[] = [];
  let row = 0;
  for await (const each of readSplit(folder, wanted, { columns: PREFERENCE_COLUMNS })) {
    row += 1;
    const pair = pairOf(each);
    if (typeof pair === 'string')
      throw new ZephyrError(
        `Cannot calibrate with row ${row} of "${wanted.split}" (${pair}): expected ${PREFERENCE_SHAPES}, and two different answers`,
      );
    pairs.push(pair);
  }
  if (pairs.length === 0) throw new ZephyrError(`Cannot calibrate with split "${wanted.split}": it has no row`);
  return pairs;
}

/** The pair of a row, or why it has none. */
function pairOf(row: Row): LabelledPair | string {
  const found = preferenceOf(row);
  if (!found.ok) return found.reason;
  const prompt = typeof decoded(row.prompt) === 'string' ? String(row.prompt) : (conversation(found.chosen.slice(0, -1)) ?? '');
  const [chosen = '', rejected = ''] = [found.chosen, found.rejected].map((side) => side.at(-1)?.content);
  const prompt_id = sha256([prompt, ...[chosen, rejected].sort()].join('\0'));
  const answer = (text: string): AnswerToJudge => ({ completion_id: `${prompt_id}/${sha256(text)}`, prompt_id, prompt, text });
  return { chosen: answer(chosen), rejected: answer(rejected) };
}

/** A question as it is, a longer conversation with its speakers. */
function conversation(turns: readonly Turn[] | undefined): string | undefined {
  if (turns === undefined || turns.length === 0) return undefined;
  if (turns.length === 1) return turns[0]?.content;
  return turns.map(({ role, content }) => `${role}: ${content}`).join('\n\n');
}
