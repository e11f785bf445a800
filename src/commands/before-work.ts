import { checkFit, fitOn } from '../engine/hardware-fit.ts';
import { type Decision, explain } from '../plan/explain.ts';
import type { Plan } from '../plan/plan.ts';
import { checkSources } from '../plan/sources.ts';
import type { Target } from '../recipe/target.ts';
import { agreeToSpend } from './agree-to-spend.ts';
import type { Context, Options } from './context.ts';
import { keysOf, requireKeys } from './keys.ts';

export interface Terms {
  readonly target: Target;
  /** Money without a cap has been agreed to; else it is asked about. */
  readonly agreed?: boolean;
  /** Throws where what is about to be done is not what was planned. */
  readonly check?: ((plan: Plan, decisions: readonly Decision[]) => void) | undefined;
  /** The run that is gone on with. */
  readonly resume?: { readonly stage: string; readonly run: string };
}

/**
 * What must hold before the first job starts, hours before the last one: what steps read is there, trainings fit on the GPUs,
 * a teacher's key is there, its cost is agreed to.
 */
export async function beforeWork(context: Context, plan: Plan, terms: Terms, options: Options): Promise<readonly Decision[]> {
  const { target, agreed, check, resume } = terms;
  const decisions = await explain(plan, context.hub);
  check?.(plan, decisions);
  await checkSources(decisions, plan, context.hub);
  checkFit(await fitOn(target, plan, context.hub)(decisions), resume !== undefined && options.on === undefined, context.emit);
  requireKeys(keysOf(decisions, plan.recipe, context.env));
  if (options.yes !== true && agreed !== true) await agreeToSpend(context, plan, decisions);
  return decisions;
}
