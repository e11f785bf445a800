import { explain, type Fate } from '../plan/explain.ts';
import type { Plan } from '../plan/plan.ts';
import { agreeToSpend } from './consent.ts';
import type { Context } from './context.ts';
import { keysOf, requireKeys } from './keys.ts';

export interface Terms {
  /** Money without a cap has been agreed to; else it is asked about. */
  readonly agreed: boolean;
  /** Throws where what is about to be done is not what was planned. */
  readonly check: ((plan: Plan, fates: readonly Fate[]) => void) | undefined;
}

/** What must hold before the first job starts, hours before a teacher is asked: its key is there, its cost is agreed to. */
export async function beforeWork(context: Context, plan: Plan, { agreed, check }: Terms): Promise<void> {
  const { recipe } = plan;
  if (check === undefined && Object.values(recipe.teachers).every(({ provider }) => provider === 'practice')) return;
  const fates = await explain(plan, context.hub);
  check?.(plan, fates);
  requireKeys(keysOf(fates, recipe, context.env));
  if (!agreed) await agreeToSpend(context, plan, fates);
}
