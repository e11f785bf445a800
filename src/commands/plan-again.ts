import { shellWord } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import type { SavedPlan } from '../plan/saved-plan.ts';

/** The command that a plan was made by. */
export function planAgain({ source, hub, goal, stageInputs }: SavedPlan): string {
  const options = [
    ...(source.on === undefined ? [] : ['--on', source.on]),
    ...(hub === null ? [] : ['--hub', hub]),
    ...(goal.length === 1 ? ['--stage', ...goal] : []),
    ...Object.entries(stageInputs).flatMap(([stage, { ref }]) => [`--${stage}`, formatRef(ref)]),
    ...source.set.flatMap((one) => ['--set', one]),
  ];
  return ['zephyr plan', ...[source.file, ...options].map(shellWord)].join(' ');
}
