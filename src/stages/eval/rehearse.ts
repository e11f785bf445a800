import type { Rehearsal } from '../module.ts';
import type { RecipeContext } from '../recipe-context.ts';
import type { RehearsalPlace, Rehearsed } from '../rehearsal.ts';
import { SIZES } from '../rehearsal-sizes.ts';
import { chosenParts, type EvalSpec, evalSpec } from './spec.ts';
import { partContext } from './steps.ts';

/** The engine of the recipe may need a GPU. */
const whole = evalSpec.parse({ suite: 'smoke', model: 'ddpo', batchSize: SIZES.batchSize });

/** The whole suite, without the parts whose programs need packages that cannot be had where the rehearsal runs. */
function rehearse(recipe: RecipeContext, { canHave }: RehearsalPlace): Rehearsed {
  const parts = chosenParts(whole).map(({ part, settings }) => {
    const works = part.steps(partContext(recipe, whole), settings).map(({ work }) => work);
    const lacking = works.find((work) => work.kind === 'job' && !canHave(work.environment));
    return { name: part.name, lacks: lacking?.kind === 'job' ? lacking.environment : undefined };
  });
  const leftOut = parts.flatMap(({ name, lacks }) => (lacks === undefined ? [] : [{ what: name, environment: lacks }]));
  const kept = parts.flatMap(({ name, lacks }) => (lacks === undefined ? [name] : []));
  return { section: leftOut.length === 0 ? whole : { ...whole, parts: kept }, leftOut };
}

export const evalRehearsal = {
  always: true,
  rehearse,
  reasons: { '': 'benchmarks that fit a tiny model, at the end of each rehearsal' },
  inWords: {
    '': ({ suite, model, parts }: EvalSpec) =>
      `suite ${suite}${parts === undefined ? '' : `, of it ${parts.join(', ')},`} of ${model}`,
  },
} satisfies Rehearsal;
