import type * as z from 'zod';
import type { RepoId } from '../../model/artifact.ts';
import type { Mistake } from '../mistake.ts';
import type { RecipeContext } from '../recipe-context.ts';
import type { Step, StepInput, Task } from '../stage.ts';

/** What the steps of a part are made from. */
export interface PartContext {
  readonly recipe: RecipeContext;
  /** the model that is evaluated */
  readonly model: StepInput;
  /** teachers who judge, by the recipe's names; the first one's verdicts are the value */
  readonly judges: readonly string[];
  /** times that each judge is asked the same */
  readonly judgeRepeats: number;
  /** engine of `generate.py` */
  readonly engine: 'transformers' | 'vllm';
  /** prompts answered at once, or requests of a log-likelihood task */
  readonly batchSize: number;
  /** A repo of a step of this evaluation: NAMESPACE/MODEL-eval-SUFFIX. */
  readonly repo: (suffix: string) => RepoId;
}

/**
 * One benchmark, or several that one program scores. The artifact of the last step is a scored folder: `benchmarks.json`
 * (`scoredBenchmarks`) and `items/BENCHMARK.jsonl` (`evaluationItem`).
 */
export interface EvalPart<Settings> {
  /** Of a-z, 0-9 and "-": its key in a recipe's `eval` section, its folder, and what the name of every step of it begins with. */
  readonly name: string;
  /** Its key in a recipe, without refinements and without defaults: each field may be left out there. */
  readonly settings: z.ZodObject;
  /** What holds where neither the suite nor the recipe says otherwise. */
  readonly defaults: Settings;
  /** It asks the judges: without one its suite is refused before anything runs. */
  readonly isJudged?: true;
  /** What the schema cannot see of settings that are complete; paths begin at `eval`. */
  check?(context: PartContext, settings: Settings): readonly (Mistake | undefined)[];
  steps(context: PartContext, settings: Settings): Step[];
  /** its in-process steps, by the name that `Step.work.task` has, which begins with the part's name */
  readonly tasks: Readonly<Record<string, Task>>;
}
