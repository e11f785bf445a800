import { checkBudget, unknownTeacher } from '../check-teachers.ts';
import { type Mistake, mistakeAt } from '../mistake.ts';
import type { StageBody } from '../module.ts';
import type { Task } from '../stage.ts';
import { PARTS } from './parts.ts';
import { evalRehearsal } from './rehearse.ts';
import { chosenParts, type EvalRecipe, type EvalSpec, evalSpec } from './spec.ts';
import { evalSteps, partContext } from './steps.ts';
import { resultsTable } from './table.ts';

const ofParts: Record<string, Task> = Object.assign({}, ...PARTS.map(({ tasks }) => tasks));

export const body = {
  spec: evalSpec.optional(),
  steps: (recipe: EvalRecipe) => evalSteps(recipe, recipe.eval),
  tasks: { ...ofParts, results: async (context) => (await import('./results.ts')).results(context) },
  check,
  budget: ['budgetUsd'],
  rehearsal: evalRehearsal,
  table: resultsTable,
} satisfies StageBody;

function check(recipe: EvalRecipe): (Mistake | undefined)[] {
  const { eval: spec } = recipe;
  const context = partContext(recipe, spec);
  const parts = chosenParts(spec);
  return [
    ...spec.judges.map((id, index) => unknownTeacher(recipe, ['eval', 'judges', index], id)),
    ...checkBudget(recipe, { path: ['eval', 'budgetUsd'], budgetUsd: spec.budgetUsd, asked: spec.judges }),
    missingJudge(spec),
    ...parts.flatMap(({ part, settings }) => part.check?.(context, settings) ?? []),
  ];
}

/** A judge is chosen by people: which one it is decides what the numbers mean. */
function missingJudge(spec: EvalSpec): Mistake | undefined {
  const parts = chosenParts(spec);
  const judged = parts.filter(({ part }) => part.isJudged).map(({ part }) => part.name);
  if (judged.length === 0 || spec.judges.length > 0) return undefined;
  const others = parts.flatMap(({ part }) => (part.isJudged ? [] : [part.name]));
  const without = others.length === 0 ? '' : `, or the suite without it: eval.parts=[${others.join(', ')}]`;
  return mistakeAt(['eval', 'judges'], `expected a teacher who judges ${judged.join(', ')}${without}`);
}
