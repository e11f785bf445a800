import * as z from 'zod';
import type { Call } from '../../calls/call.ts';
import { type CallFields, callFields, callOf } from '../../calls/call-config.ts';
import type { TeacherSpec } from '../../teachers/spec.ts';
import { callConfig, type RecipeContext } from '../recipe-context.ts';

/**
 * A judge in the config of a step. `at`: who answers under the model's name, its provider and the address, which is all that
 * is known of a judge beside its name: another one is asked anew, though an answer's key leaves the server out.
 */
export const judgeFields = callFields.extend({ at: z.string() });
export type JudgeFields = z.infer<typeof judgeFields>;

/** How much a judge may write, and how it is sampled: as a benchmark's protocol says. */
export type JudgeSampling = Parameters<typeof callConfig>[2];

export function judgeConfigs(recipe: RecipeContext, judges: readonly string[], sampling: JudgeSampling): JudgeFields[] {
  return judges.map((id) => {
    const fields: CallFields = callConfig(recipe, id, sampling);
    return { ...fields, at: addressOf(recipe.teachers[id] as TeacherSpec) };
  });
}

function addressOf({ provider, baseUrl, inferenceProvider }: TeacherSpec): string {
  return [provider, inferenceProvider, baseUrl].filter((part) => part !== undefined).join(' ');
}

/** A judge as a protocol names it. */
export function judgeIdentity({ model, at, temperature, top_p, max_tokens }: JudgeFields): Record<string, string | number> {
  return {
    model,
    at,
    ...(temperature === undefined ? {} : { temperature }),
    ...(top_p === undefined ? {} : { top_p }),
    max_tokens,
  };
}

/** One time that a judge is asked. */
export interface JudgeRound {
  readonly judge: string;
  /** from 1 */
  readonly pass: number;
  readonly call: (benchmark: string, messages: Call['messages']) => Call;
}

/** Every judge as often as it is to be asked. */
export function judgeRounds(judges: readonly JudgeFields[], repeats: number): JudgeRound[] {
  return judges.flatMap((judge) => {
    const { at, ...fields } = judgeFields.parse(judge);
    return Array.from({ length: repeats }, (_, index): JudgeRound => {
      const pass = index + 1;
      const call = (benchmark: string, messages: Call['messages']) => callOf(fields, judgePurpose(benchmark, at, pass), messages);
      return { judge: fields.teacher, pass, call };
    });
  });
}

/** What a call to a judge is for: of the same kind in each pass, and a call of its own. */
function judgePurpose(benchmark: string, at: string, pass: number): string {
  return `judge ${benchmark}, ${at}${pass === 1 ? '' : `, round ${pass}`}`;
}
