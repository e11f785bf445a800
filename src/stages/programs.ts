import { PROGRAM_ENVIRONMENTS, PROGRAM_FILES, type ProgramConfigs } from './generated/programs.ts';
import type { Step, Training } from './stage.ts';

interface JobStep<Config> extends Omit<Step, 'files' | 'work' | 'config'> {
  /** what the program reads, as its dataclass wants it */
  readonly config: Config;
  readonly training?: Training;
  readonly ranks?: 'all';
  readonly saveSteps?: number;
}

/** A job step of `program`; the members that every job step has are filled in. */
export function jobStep<Program extends keyof ProgramConfigs>(program: Program, step: JobStep<ProgramConfigs[Program]>): Step {
  const { training, ranks, saveSteps, ...rest } = step;
  const environment = PROGRAM_ENVIRONMENTS[program];
  const shared = ranks === undefined ? {} : { ranks };
  const work = { kind: 'job', program, environment, training, ...shared, saveSteps: saveSteps ?? 0 } as const;
  return { ...rest, files: PROGRAM_FILES[program], work };
}

/**
 * An in-process step. `files` are the texts that it reads; its code is not hashed: `config.version` counts up when a
 * task's result changes.
 */
export function taskStep(task: string, step: Omit<Step, 'files' | 'work'> & { readonly files?: readonly string[] }): Step {
  return { ...step, files: step.files ?? [], work: { kind: 'task', task } };
}
