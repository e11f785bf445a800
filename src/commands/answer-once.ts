import { type Partner, printAnswers, type Sheet } from '../chat/answers.ts';
import { remark } from '../chat/dialogue.ts';
import type { Interrupts } from '../chat/interrupts.ts';
import type { Draws, Outcome } from '../chat/talker.ts';
import { EXIT, ZephyrError } from '../errors.ts';
import { setDocument } from './verdict.ts';

interface Once {
  readonly ids: readonly string[];
  readonly partners: readonly Partner[];
  readonly sheet: Sheet;
  readonly interrupts: Interrupts;
  readonly question: string;
  readonly sampling: Draws;
  readonly json: boolean;
}

/** One question, answered on stdout. An answer that could not begin is an error, one that the user stopped is cut. */
export async function answerOnce({ ids, partners, sheet, interrupts, question, sampling, json }: Once): Promise<number> {
  const quiet: Sheet = { write: () => undefined, note: () => undefined, size: undefined };
  const outcomes = await interrupts.during((signal) =>
    printAnswers(partners, { text: question, sampling, signal }, json ? quiet : sheet),
  );
  const failed = outcomes.find((outcome): outcome is Exclude<Outcome, { text: string }> => !('text' in outcome));
  if (failed !== undefined)
    throw new ZephyrError(`Cannot answer the prompt: ${remark(failed, null)?.replace('no answer: ', '')}`, {
      hint:
        failed.end === 'too-long'
          ? 'ask a shorter question, or without --system'
          : 'ask without --system, which some models do not know',
    });
  if (json) setDocument(ids, { answers: outcomes.map((outcome, index) => ({ model: ids[index], ...outcome })) });
  return outcomes.some(({ end }) => end === 'stopped') ? EXIT.detached : EXIT.done;
}
