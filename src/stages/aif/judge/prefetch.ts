import type { Json } from '../../../base/canonical-json.ts';
import { watchInVain } from '../../../calls/give-up-after.ts';
import type { CallSession } from '../../../calls/session.ts';
import { NO_LOGPROBS } from '../../../judging/expected.ts';
import { settle } from '../../../judging/judge-once.ts';
import { isJudged, LEGIBLE_AFTER, type Sheet, sheetMaker } from '../../../judging/judge-requests.ts';
import type { Completion } from '../tables.ts';
import { judgeConfig } from './config.ts';

/**
 * Asks the judges about the answers to one prompt, as far as they keep up: what they are not asked here the judge step asks.
 * Never throws: what went wrong that step meets again. Nobody need wait for it.
 */
export type AskAhead = (completions: readonly Completion[], session: CallSession) => Promise<void>;

/**
 * For the step `generate`: asks what the step `judge` of this config will ask, as soon as a prompt's answers are in; that
 * step then finds the replies in the call log. `files` is the folder of the templates. Asks nothing where a reward model
 * judges, nothing where a calibration has to come first, and no more where the first replies bring no log-probabilities or
 * none of them can be read.
 */
export async function judgeAhead(config: Json, files: string): Promise<AskAhead> {
  const judging = judgeConfig.parse(config);
  if (judging.by === 'reward_model' || judging.calibration !== null) return () => Promise.resolve();
  const { mode } = judging;
  const sheetsOf = await sheetMaker(judging, files);
  /** Of the first prompt: whether all it brought were replies without the log-probabilities that were asked for. */
  let mute: Promise<boolean> | undefined;
  const seats = watchInVain<number>(LEGIBLE_AFTER);
  let pending = 0;

  async function ask(sheets: readonly Sheet[], session: CallSession): Promise<boolean> {
    const settled = await Promise.allSettled(
      sheets.map(async (sheet) => {
        const settled = await settle(sheet, async (call) => {
          if (seats.isHopeless(sheet.seat)) return undefined;
          const outcome = await session.ask(call, { ahead: true });
          return outcome.ok ? outcome.reply : undefined;
        });
        const { reading } = settled;
        if (reading.ok || reading.status !== 'missing') seats.heard(sheet.seat, reading.ok);
        return settled;
      }),
    );
    return settled.every(
      (each) => each.status === 'fulfilled' && !each.value.reading.ok && each.value.reading.why === NO_LOGPROBS,
    );
  }
  async function askAbout(completions: readonly Completion[], session: CallSession): Promise<void> {
    const sheets = sheetsOf(completions.filter(isJudged));
    if (sheets.length === 0) return;
    if (mode === 'expected' && mute === undefined) {
      mute = ask(sheets, session);
      await mute;
    } else if (!(await mute)) await ask(sheets, session);
  }
  return async (completions, session) => {
    // Answers do not wait for a judge that is slow, or away; their texts would fill the memory meanwhile.
    if (pending >= session.inHand) return;
    pending += 1;
    await askAbout(completions, session).finally(() => {
      pending -= 1;
    });
  };
}
