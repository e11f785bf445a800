import type { Hub } from '../hub/hub.ts';
import type { Count } from '../stages/module.ts';
import type { Decision } from './explain.ts';
import type { Plan } from './plan.ts';

/** By `STAGE NAME`: how many there are of what the recipe does not count, see `CallForecast.items`. */
export type ItemCounts = ReadonlyMap<string, Count>;

export const countKey = (stage: string, count: string) => `${stage} ${count}`;

/** Asks the stages to count what calls are made for, of steps that have to run. */
export async function countItems({ registry, pins }: Plan, decisions: readonly Decision[], hub: Hub): Promise<ItemCounts> {
  const counts = new Map<string, Promise<Count>>();
  const made = (stage: string) => (name: string) => {
    const decision = decisions.find(({ step }) => step.stage === stage && step.name === name);
    return decision?.action === 'reuse' ? decision.artifact : undefined;
  };
  for (const { step, action } of decisions) {
    if (action === 'reuse') continue;
    const input = (name: string) => {
      const from = step.inputs[name];
      return from?.from === 'hub' ? pins.get(from.ref) : undefined;
    };
    for (const { items } of step.calls ?? []) {
      if (typeof items === 'number' || counts.has(countKey(step.stage, items.count))) continue;
      const count = registry.find(({ name }) => name === step.stage)?.counts?.[items.count];
      if (count === undefined) throw new Error(`Cannot count "${items.count}": stage ${step.stage} does not say how`);
      counts.set(countKey(step.stage, items.count), count({ step, hub, input, made: made(step.stage) }));
    }
  }
  return new Map(await Promise.all([...counts].map(async ([key, count]) => [key, await count] as const)));
}
