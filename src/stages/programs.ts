import type { JobProgram } from '../model/job.ts';
import type { Step } from './stage.ts';

const TEMPLATE = 'templates/zephyr.jinja';

/** The files of scripts/train that a program reads: itself, what it imports, the chat template. A test compares. */
export const PROGRAM_FILES: Readonly<Record<JobProgram, readonly string[]>> = {
  prepare: ['job.py', 'prepare.py', TEMPLATE],
  dsft: ['dsft.py', 'job.py', 'training.py', TEMPLATE],
  ddpo: ['ddpo.py', 'job.py', 'training.py', TEMPLATE],
  merge: ['job.py', 'merge.py'],
  generate: ['generate.py', 'job.py', TEMPLATE],
  tiny_base: ['job.py', 'tiny_base.py', TEMPLATE],
};

/** A job step of `program`; the members that every job step has are filled in. */
export function jobStep(
  program: JobProgram,
  step: Omit<Step, 'files' | 'work'> & { readonly globalBatch?: number; readonly saveSteps?: number },
): Step {
  const { globalBatch, saveSteps, ...rest } = step;
  return { ...rest, files: PROGRAM_FILES[program], work: { kind: 'job', program, globalBatch, saveSteps: saveSteps ?? 0 } };
}

/**
 * An in-process step. `files` are the texts that it reads; its code is not hashed: `config.version` counts up when a
 * task's result changes.
 */
export function taskStep(task: string, step: Omit<Step, 'files' | 'work'> & { readonly files?: readonly string[] }): Step {
  return { ...step, files: step.files ?? [], work: { kind: 'task', task } };
}
