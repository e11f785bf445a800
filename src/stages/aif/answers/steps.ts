import { jobStep, taskStep } from '../../programs.ts';
import { type CallConfig, callConfig, datasetRepo, inputOf, type Setting } from '../../setting.ts';
import type { Step, StepInput } from '../../stage.ts';
import type { AifTeachers } from '../spec.ts';
import { principleFile } from './principles.ts';

/** A pool member is asked over an API (`call`) or has answered every prompt already in the input named `input`. */
export type PoolMember =
  | { readonly id: string; readonly weight: number; readonly call: CallConfig }
  | { readonly id: string; readonly weight: number; readonly input: string };

/** Task `generate`: reads the inputs `prompts` and `answers-N`, and `templates/principle-ID.md` of scripts/train. */
export type GenerateConfig = {
  readonly version: 1;
  readonly seed: number;
  readonly pool: readonly PoolMember[];
  readonly answers_per_prompt: number;
  readonly principles: readonly string[];
};

/** The pool members that answer in a job; N counts them from 1 in the pool's order. */
function artifactMembers(spec: AifTeachers) {
  return spec.pool
    .flatMap((member) => (member.model === undefined ? [] : [{ ...member, model: member.model }]))
    .map((member, index) => ({ ...member, id: `answers-${index + 1}` }));
}

export function answerSteps(setting: Setting, spec: AifTeachers): Step[] {
  return artifactMembers(spec).map((member) =>
    jobStep('generate', {
      stage: 'aif',
      name: member.id,
      summary: `answers of ${member.model}`,
      inputs: { model: inputOf(member.model), prompts: { from: 'step', step: 'prompts' } },
      config: {
        template: setting.template,
        system: setting.system,
        max_new_tokens: spec.answer.maxTokens,
        temperature: spec.answer.temperature,
        top_p: spec.answer.topP,
        samples: 1,
        batch_size: member.batchSize,
        seed: setting.seed,
        engine: member.engine,
      },
      output: datasetRepo(setting, member.id),
      saveSteps: 50,
    }),
  );
}

export function generateStep(setting: Setting, spec: AifTeachers): Step {
  const jobs = artifactMembers(spec);
  let job = 0;
  const pool = spec.pool.map(({ teacher, weight }): PoolMember => {
    if (teacher !== undefined) return { id: teacher, weight, call: callConfig(setting, teacher, spec.answer) };
    const { id } = jobs[job++] as { id: string };
    return { id, weight, input: id };
  });
  const config: GenerateConfig = {
    version: 1,
    seed: setting.seed,
    pool,
    answers_per_prompt: spec.answersPerPrompt,
    principles: spec.principles,
  };
  const answers = jobs.map(({ id }): [string, StepInput] => [id, { from: 'step', step: id }]);
  return taskStep('generate', {
    stage: 'aif',
    name: 'generate',
    summary: `${spec.answersPerPrompt} answers a prompt from a pool of ${pool.length}`,
    inputs: { prompts: { from: 'step', step: 'prompts' }, ...Object.fromEntries(answers) },
    config,
    files: spec.principles.map(principleFile),
    output: datasetRepo(setting, 'completions'),
  });
}
