import type { Json } from '../../../base/canonical-json.ts';
import { GiveUpAfter } from '../../../calls/give-up-rule.ts';
import type { CallSession } from '../../../calls/session.ts';
import { NO_LOGPROBS } from '../../../judging/expected.ts';
import { judgeOnce } from '../../../judging/judge-once.ts';
import { isJudged, type JudgeRequest, LEGIBLE_AFTER, requestMaker } from '../../../judging/judge-requests.ts';
import type { Completion } from '../tables.ts';
import { judgeConfig } from './config.ts';

/**
 * Asks the judges about the answers to one prompt, as far as they keep up: what they are not asked here the judge step asks.
 * Never throws, since the judge step meets again what went wrong, and the caller need not wait for it.
 */
export type Prefetch = (completions: readonly Completion[], session: CallSession) => Promise<void>;

/**
 * For the step `generate`: asks what the step `judge` of this config will ask, as soon as a prompt's answers are in; that
 * step then finds the replies in the call log. `files` is the folder of the templates. Asks nothing where a reward model
 * judges, nothing where a calibration has to come first, and no more where the first replies bring no log-probabilities or
 * none of them can be read.
 */
export async function prefetchJudge(config: Json, files: string): Promise<Prefetch> {
  const judging = judgeConfig.parse(config);
  if (judging.by === 'reward_model' || judging.calibration !== null) return () => Promise.resolve();
  const { mode } = judging;
  const requestsFor = await requestMaker(judging, files);
  /** Whether the first prompt brought only replies without the log-probabilities that zephyr asked for. */
  let isMute: Promise<boolean> | undefined;
  const giveUp = new GiveUpAfter<number>(LEGIBLE_AFTER);
  let pending = 0;

  async function ask(request: JudgeRequest, session: CallSession) {
    const { reading } = await judgeOnce(request, async (call) => {
      if (giveUp.isReached(request.judgeIndex)) return undefined;
      const outcome = await session.ask(call, { prefetch: true });
      return outcome.ok ? outcome.reply : undefined;
    });
    if (reading.ok || reading.status !== 'missing') giveUp.record(request.judgeIndex, reading.ok);
    return reading;
  }
  /** Whether no reply had log-probabilities. */
  async function askAll(requests: readonly JudgeRequest[], session: CallSession): Promise<boolean> {
    const readings = await Promise.allSettled(requests.map((request) => ask(request, session)));
    return readings.every((each) => each.status === 'fulfilled' && !each.value.ok && each.value.why === NO_LOGPROBS);
  }
  async function askAbout(completions: readonly Completion[], session: CallSession): Promise<void> {
    const requests = requestsFor(completions.filter(isJudged));
    if (requests.length === 0) return;
    if (mode === 'expected' && isMute === undefined) {
      isMute = askAll(requests, session);
      await isMute;
    } else if (!(await isMute)) await askAll(requests, session);
  }
  return async (completions, session) => {
    // A judge that is slow or away would hold the texts of all answers in memory, so only some prompts wait for it.
    if (pending >= session.inHand) return;
    pending += 1;
    await askAbout(completions, session).finally(() => {
      pending -= 1;
    });
  };
}
