import { taskStep } from '../../programs.ts';
import { type CallConfig, callConfig, datasetRepo, type Setting } from '../../setting.ts';
import type { Step } from '../../stage.ts';
import type { AifTeachers } from '../spec.ts';
import { judgeFiles } from './templates.ts';

/** Task `judge`: reads the inputs `prompts` and `completions`, and `templates/judge-*.md` of scripts/train. */
export type JudgeConfig = {
  readonly version: 1;
  readonly seed: number;
  readonly call: CallConfig;
  readonly aspects: readonly string[];
  readonly overall: boolean;
  readonly permutations: number;
};

export function judgeStep(setting: Setting, { judge }: AifTeachers): Step {
  const config: JudgeConfig = {
    version: 1,
    seed: setting.seed,
    call: callConfig(setting, judge.teacher, judge),
    aspects: judge.aspects,
    overall: judge.overall,
    permutations: judge.permutations,
  };
  const what = [...judge.aspects, ...(judge.overall ? ['overall'] : [])];
  return taskStep('judge', {
    stage: 'aif',
    name: 'judge',
    summary: `${config.call.model} rates ${what.join(', ')}`,
    inputs: { prompts: { from: 'step', step: 'prompts' }, completions: { from: 'step', step: 'generate' } },
    config,
    files: judgeFiles(judge.aspects, judge.overall),
    output: datasetRepo(setting, 'ratings'),
  });
}
