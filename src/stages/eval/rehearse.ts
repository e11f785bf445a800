import type { Rehearsal } from '../module.ts';
import type { RecipeContext } from '../recipe-context.ts';
import { SIZES } from '../rehearsal-sizes.ts';
import { type EvalSpec, evalSpec } from './spec.ts';

/**
 * A rehearsal stays within the environment of its trainings: that of the harness takes a minute to make. The engine of the recipe
 * may need a GPU.
 */
const section = evalSpec.parse({ suite: 'smoke', parts: ['refusals'], model: 'ddpo', batchSize: SIZES.batchSize });

export const evalRehearsal = {
  always: true,
  rehearse: (_recipe: RecipeContext) => ({ section }),
  reasons: { '': 'benchmarks that fit a tiny model, at the end of each rehearsal' },
  inWords: { '': ({ suite, model }: EvalSpec) => `suite ${suite} of ${model}` },
} satisfies Rehearsal;
