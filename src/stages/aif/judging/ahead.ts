import type { Json } from '../../../base/canonical-json.ts';
import type { CallSession } from '../../../calls/session.ts';
import type { Completion } from '../tables.ts';
import { judgeConfig } from './config.ts';
import { settle } from './settle.ts';
import { isJudged, sheetMaker } from './sheets.ts';

/** Asks the judges about the answers to one prompt. Never throws: what went wrong the judge step meets again. */
export type AskAhead = (completions: readonly Completion[], session: CallSession) => Promise<void>;

/**
 * For the step `generate`: asks what the step `judge` of this config will ask, as soon as a prompt's answers are in; that
 * step then finds the replies in the call log. `files` is the folder of the templates. Asks nothing where a reward model
 * judges, and nothing where a calibration has to come first.
 */
export async function judgeAhead(config: Json, files: string): Promise<AskAhead> {
  const judging = judgeConfig.parse(config);
  if (judging.by === 'reward_model' || judging.calibration !== null) return () => Promise.resolve();
  const sheetsOf = await sheetMaker(judging, files);
  return async (completions, session) => {
    await Promise.allSettled(
      sheetsOf(completions.filter(isJudged)).map((sheet) =>
        settle(sheet, async (call) => {
          const outcome = await session.ask(call, { ahead: true });
          return outcome.ok ? outcome.reply : undefined;
        }),
      ),
    );
  };
}
