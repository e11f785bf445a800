import { taskStep } from '../../programs.ts';
import { datasetRepo, inputOf, type Setting } from '../../setting.ts';
import type { Step } from '../../stage.ts';
import type { AifTeachers } from '../spec.ts';

/** Task `prompts`: reads the input `source` (or `list`), writes `prompts.jsonl` with `prompt_id` and `prompt`. */
export type PromptsConfig = {
  readonly version: 1;
  readonly seed: number;
  readonly split: string;
  readonly column: string;
  readonly list: readonly string[];
  readonly rows: number | null;
  readonly max_characters: number;
};

export function promptsStep(setting: Setting, { prompts }: AifTeachers): Step {
  const config: PromptsConfig = {
    version: 1,
    seed: setting.seed,
    split: prompts.split,
    column: prompts.column,
    list: prompts.list,
    rows: prompts.rows,
    max_characters: prompts.maxCharacters,
  };
  return taskStep('prompts', {
    stage: 'aif',
    name: 'prompts',
    summary: prompts.rows === null ? 'all prompts' : `at most ${prompts.rows} prompts`,
    inputs: {
      ...(prompts.ref === undefined ? {} : { source: inputOf(prompts.ref) }),
      ...(prompts.decontaminate === undefined ? {} : { decontaminate: inputOf(prompts.decontaminate) }),
    },
    config,
    output: datasetRepo(setting, 'prompts'),
  });
}
