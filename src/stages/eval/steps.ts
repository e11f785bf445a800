import { sha256 } from '../../base/sha256.ts';
import { parseRef, type RepoId, repoName } from '../../model/artifact.ts';
import { taskStep } from '../programs.ts';
import { inputOf, modelRepo, type RecipeContext } from '../recipe-context.ts';
import type { Step } from '../stage.ts';
import type { PartContext } from './part.ts';
import { chosenParts, type EvalSpec } from './spec.ts';

/** Task `results`: reads a scored folder for each part; of the input `model` the reference alone. */
export type ResultsConfig = { readonly version: 1; readonly suite: string; readonly seed: number };

/** the steps of each part -> results */
export function evalSteps(recipe: RecipeContext, spec: EvalSpec): Step[] {
  const context = partContext(recipe, spec);
  const parts = chosenParts(spec).map(({ part, settings }) => ({ name: part.name, steps: part.steps(context, settings) }));
  const config: ResultsConfig = { version: 1, suite: spec.suite, seed: recipe.seed };
  const scored = parts.map(({ name, steps }) => [name, { from: 'step', step: steps.at(-1)?.name as string }] as const);
  const results = taskStep('results', {
    stage: 'eval',
    name: 'results',
    summary: `${parts.length} part${parts.length === 1 ? '' : 's'} of ${spec.suite}, with intervals`,
    inputs: { model: context.model, ...Object.fromEntries(scored) },
    named: ['model'],
    config,
    output: context.repo(spec.suite),
  });
  return capped(spec, [...parts.flatMap(({ steps }) => steps), results]);
}

export function partContext(recipe: RecipeContext, spec: EvalSpec): PartContext {
  const { judges, judgeRepeats, engine, batchSize } = spec;
  const source = spec.model === 'base' ? recipe.base : spec.model;
  const prefix = modelName(recipe, source);
  return {
    recipe,
    model: inputOf(source),
    judges,
    judgeRepeats,
    engine,
    batchSize,
    repo: (suffix) => evaluationRepo(recipe, prefix, suffix),
  };
}

/** What the repos of an evaluation begin with: the same for a stage's model and for that model named by its reference. */
function modelName(recipe: RecipeContext, source: string): string {
  const name = parseRef(source)?.name ?? modelRepo(recipe, source.replace(/^.*\//, '')).name;
  return name.slice(name.indexOf('/') + 1);
}

/** NAMESPACE/MODEL-eval-SUFFIX. A name that the Hub finds too long is cut, with digits that tell it from others cut alike. */
function evaluationRepo(recipe: RecipeContext, model: string, suffix: string): RepoId {
  const name = `${recipe.namespace}/${model}-eval-${suffix}`;
  if (repoName.safeParse(name).success) return { type: 'dataset', name };
  const tail = `-${sha256(model).slice(0, 8)}-eval-${suffix}`;
  const room = 96 - recipe.namespace.length - 1 - tail.length;
  return { type: 'dataset', name: repoName.parse(`${recipe.namespace}/${model.slice(0, room).replace(/[-.]+$/, '')}${tail}`) };
}

/** The cap is that of the whole evaluation: each step that pays counts what all have spent. */
function capped({ budgetUsd, maxUnanswered }: EvalSpec, steps: readonly Step[]): Step[] {
  const bounds = {
    ...(budgetUsd === undefined ? {} : { budgetUsd }),
    ...(maxUnanswered === undefined ? {} : { maxUnanswered }),
  };
  return steps.map((step) => (step.calls === undefined ? step : { ...step, ...bounds }));
}
