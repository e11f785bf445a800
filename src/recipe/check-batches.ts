import type { Mistake } from './mistakes.ts';
import type { Recipe } from './recipe.ts';

/** Files of calls are taken by servers that speak OpenAI's Batch API, and by one of them alone. */
export function checkBatches({ teachers }: Recipe): Mistake[] {
  return Object.entries(teachers).flatMap(([id, { batch, provider, via, failover }]) => {
    const path = ['teachers', id, 'batch'];
    const client = provider === 'practice' ? via : provider;
    if (batch === undefined) return [];
    if (client !== 'openai') {
      const named = provider === 'practice' ? `practice via ${via}` : provider;
      return [{ path, part: 'value', message: `${path.join('.')}: expected provider openai or practice, got ${named}` }];
    }
    if (failover.length === 0) return [];
    const message = `${path.join('.')}: expected no failover list, since a batch is worked on where it was sent`;
    return [{ path, part: 'value', message }];
  });
}
