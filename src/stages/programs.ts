import type { JobProgram } from '../model/job.ts';
import type { Step } from './stage.ts';

const TEMPLATE = 'templates/zephyr.jinja';

/** What every program stands on: job.json in, events and result.json out, a tokenizer from an input or into the artifact. */
const JOB = [
  'canonical_json.py',
  'chat_tokenizer.py',
  'durable_files.py',
  'exits.py',
  'job.py',
  'run_job.py',
  'stopping.py',
  'typed_json.py',
];
const TRAINING = [
  'checkpoint.py',
  'load_model.py',
  'one_head.py',
  'train_config.py',
  'training.py',
  'training_rows.py',
  'watch.py',
];
const PREPARATION = [
  'dataset_files.py',
  'dataset_reader.py',
  'decontaminate.py',
  'dialogue_rows.py',
  'disclaimer.py',
  'draws.py',
  'json_lines.py',
  'left_out.py',
  'messages.py',
  'packing.py',
  'preference_rows.py',
  'prepare_config.py',
  'row_shapes.py',
  'source_rows.py',
  'training_rows.py',
  'truecase.py',
];

/** The files of scripts/train that a program reads: itself, what it imports, the chat template. A test compares. */
export const PROGRAM_FILES: Readonly<Record<JobProgram, readonly string[]>> = {
  prepare: ['prepare.py', ...PREPARATION, ...JOB, TEMPLATE],
  dsft: ['dsft.py', ...TRAINING, ...JOB, TEMPLATE],
  ddpo: ['ddpo.py', ...TRAINING, ...JOB, TEMPLATE],
  merge: ['merge.py', 'one_head.py', ...JOB],
  generate: ['generate.py', 'checkpoint.py', 'json_lines.py', ...JOB, TEMPLATE],
  reward: ['reward.py', 'checkpoint.py', 'json_lines.py', 'records.py', ...JOB],
  tiny_base: ['tiny_base.py', 'json_lines.py', 'messages.py', 'row_shapes.py', ...JOB, TEMPLATE],
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
