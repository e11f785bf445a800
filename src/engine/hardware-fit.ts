import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import type { Emit } from '../model/event.ts';
import type { Decision } from '../plan/explain.ts';
import { fitPlan, type PlanFit, refuseUnfit, tightWarnings } from '../plan/fit/fit.ts';
import type { Plan } from '../plan/plan.ts';
import type { Target } from '../recipe/target.ts';
import { hardwareOf } from './hardware.ts';

/** What the steps of a plan that have to run need of the GPUs of a target, see `fitPlan`. */
export function fitOn(target: Target, plan: Plan, hub: Hub): (decisions: readonly Decision[]) => Promise<PlanFit> {
  // what `auto` is changes neither ranks nor batches
  const hardware = (step: Decision['step']) => hardwareOf(step, target, { device: 'cuda', cores: 1 });
  return async (decisions) => await fitPlan({ plan, decisions, target, hub, hardware });
}

/**
 * Throws for what does not fit on the GPUs, and warns of what hardly does, before hours go into what comes first. Where a run
 * goes on as it was, a job of it may be training at this moment: it is only warned of.
 */
export function checkFit(fit: PlanFit, isOngoing: boolean, emit: Emit): void {
  for (const message of tightWarnings(fit)) emit({ type: 'warning', message });
  try {
    refuseUnfit(fit);
  } catch (error) {
    if (!isOngoing || !(error instanceof ZephyrError)) throw error;
    emit({ type: 'warning', message: error.message });
  }
}
