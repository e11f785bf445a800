import { type Decision, explain } from '../plan/explain.ts';
import type { Plan } from '../plan/plan.ts';
import { checkSources } from '../plan/sources.ts';
import { agreeToSpend } from './consent.ts';
import type { Context } from './context.ts';
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
