import { ZephyrError } from '../errors.ts';
import { type Uncapped, uncappedStages } from '../plan/asked.ts';
import { type Decision, explain } from '../plan/explain.ts';
import type { Plan } from '../plan/plan.ts';
import { checkSources } from '../plan/sources.ts';
import { askYes, canAsk } from './confirm.ts';
import type { Context } from './context.ts';
import { costInWords } from './costs.ts';
import { keysOf, requireKeys } from './keys.ts';

export interface Terms {
  /** Money without a cap has been agreed to; else it is asked about. */
  readonly agreed: boolean;
  /** Throws where what is about to be done is not what was planned. */
  readonly check: ((plan: Plan, decisions: readonly Decision[]) => void) | undefined;
}

/**
 * What must hold before the first job starts, hours before the last one: what steps read is there, a teacher's key is there,
 * its cost is agreed to.
 */
export async function beforeWork(context: Context, plan: Plan, { agreed, check }: Terms): Promise<readonly Decision[]> {
  const { recipe } = plan;
  const decisions = await explain(plan, context.hub);
  check?.(plan, decisions);
  await checkSources(decisions, plan, context.hub);
  requireKeys(keysOf(decisions, recipe, context.env));
  if (!agreed) await agreeToSpend(context, plan, decisions);
  return decisions;
}

/**
 * Asks before money is spent that nothing limits, naming what it will be. Throws a `ZephyrError`: usage where no question
 * can be asked, cancelled or detached (130) where the answer is not yes. Nothing has been started then.
 */
async function agreeToSpend(context: Context, plan: Plan, decisions: readonly Decision[]): Promise<void> {
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
