import type { Rehearsal } from '../module.ts';
import type { RecipeContext } from '../recipe-context.ts';
import { SIZES } from '../rehearsal-sizes.ts';
import { type EvalSpec, evalSpec } from './spec.ts';

/** The engine of the recipe may need a GPU; the practice judge is named for whoever evaluates the rehearsal's models later. */
const section = evalSpec.parse({ suite: 'smoke', model: 'ddpo', batchSize: SIZES.batchSize });

export const evalRehearsal = {
  always: true,
  rehearse: (_recipe: RecipeContext) => ({ section }),
  reasons: { '': 'benchmarks that fit a tiny model, at the end of each rehearsal' },
  inWords: { '': ({ suite, model }: EvalSpec) => `suite ${suite} of ${model}` },
} satisfies Rehearsal;
