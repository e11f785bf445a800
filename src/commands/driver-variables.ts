import { resolve } from 'node:path';
import { ZephyrError } from '../errors.ts';
import type { Decision } from '../plan/explain.ts';
import type { Plan } from '../plan/plan.ts';
import { RECIPE_VARIABLES } from '../recipe/overrides.ts';
import { type Context, type Options, TOKEN } from './context.ts';
import { keysOf } from './keys.ts';

/** By their names alone: the key of a teacher may be called anything. */
const HANDED: readonly string[] = [...RECIPE_VARIABLES, 'ZEPHYR_PYTHON', 'ZEPHYR_PRACTICE_URL', 'XDG_CACHE_HOME', 'HF_ENDPOINT'];

/** What zephyr reads of the environment, secrets by the files that hold them: Slurm keeps the variables of a job. */
export function driverVariables(
  { env }: Context,
  plan: Plan,
  decisions: readonly Decision[],
  { hub }: Options,
): Record<string, string> {
  const own = Object.entries(env).filter(([name]) => HANDED.includes(name));
  const secrets = [...keysOf(decisions, plan.recipe, env).map(({ name }) => name), ...(hub === undefined ? [] : [TOKEN])];
  const files = secrets.map((name) => {
    const file = env[`${name}_PATH`];
    if (file !== undefined && file !== '' && (env[name] ?? '') === '') return [`${name}_PATH`, resolve(file)] as const;
    throw new ZephyrError(`Cannot hand ${name} to a job of the cluster: Slurm would keep its value`, {
      exit: 'preflight',
      hint: `nothing was started; write it to a file of the shared disk that you alone may read, and set ${name}_PATH in place of ${name}`,
    });
  });
  return Object.fromEntries([...own, ...files, ['NO_COLOR', '1']]);
}
