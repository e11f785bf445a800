import { ZephyrError } from '../errors.ts';
import { type Uncapped, uncappedStages } from '../plan/asked.ts';
import type { Decision } from '../plan/explain.ts';
import type { Plan } from '../plan/plan.ts';
import { askYes, canAsk } from './confirm.ts';
import type { Context } from './context.ts';
import { costInWords } from './costs.ts';

/**
 * Asks before money is spent that nothing limits, naming what it will be. Throws a `ZephyrError`: usage where no question
 * can be asked, cancelled or detached (130) where the answer is not yes. Nothing has been started then.
 */
export async function agreeToSpend(context: Context, plan: Plan, decisions: readonly Decision[]): Promise<void> {
  const uncapped = await uncappedStages(plan, decisions, context.hub);
  if (uncapped.length === 0) return;
  const caps = uncapped.map(({ setting }) => `--set ${setting}=DOLLARS`).join(' ');
  if (!canAsk(context.env)) throw nobodyToAsk(uncapped, caps);
  const lines = uncapped.map(({ stage, price }) => `  ${stage}: ${costInWords(price)}\n`).join('');
  process.stderr.write(`Teachers will be paid, and no budget limits it:\n${lines}A limit: ${caps}\n`);
  const answer = await askYes('Begin without one? [y/N] ', context.signal);
  if (answer === 'yes') return;
  if (answer === 'no')
    throw new ZephyrError('Nothing was started: the answer was not yes', { exit: 'cancelled', hint: `a limit: ${caps}` });
  throw new ZephyrError('Nothing was started, nothing was paid', { exit: 'detached' });
}

function nobodyToAsk(uncapped: readonly Uncapped[], caps: string): ZephyrError {
  const lines = uncapped.map(
    ({ stage, setting, price }) =>
      `Cannot begin stage "${stage}" unasked: it pays teachers, and ${setting} sets no limit (${costInWords(price)})`,
  );
  const ways = `limit it with ${caps}, or agree with --yes, or with a plan: zephyr plan RECIPE --out FILE, zephyr run FILE`;
  return new ZephyrError(lines.join('\n'), { hint: `nothing was started; ${ways}` });
}
