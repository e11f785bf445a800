import { didYouMean } from '../stages/nearest.ts';
import type { Mistake } from './mistakes.ts';
import type { Recipe } from './recipe.ts';
import type { Path } from './yaml-file.ts';

/** Fields of SFTConfig and DPOConfig that the recipe owns: where to write them instead. */
const IN_RECIPE: Readonly<Record<string, string>> = {
  learning_rate: 'train.learningRate',
  lr_scheduler_type: 'train.schedule',
  warmup_steps: 'train.warmup',
  warmup_ratio: 'train.warmup',
  num_train_epochs: 'train.epochs',
  max_steps: 'train.maxSteps',
  optim: 'train.optimizer',
  weight_decay: 'train.weightDecay',
  bf16: 'train.dtype',
  fp16: 'train.dtype',
  gradient_checkpointing: 'train.gradientCheckpointing',
  save_steps: 'train.saveSteps',
  beta: 'train.beta',
  loss_type: 'train.lossType',
  max_length: 'prepare.maxLength',
  max_seq_length: 'prepare.maxLength',
  max_prompt_length: 'prepare.maxPromptLength',
  packing: 'prepare.packing',
  assistant_only_loss: 'prepare.lossTokens',
  completion_only_loss: 'prepare.lossTokens',
  gradient_accumulation_steps: 'train.globalBatch',
};

/** Fields that follow from where the job runs, or that zephyr does itself. */
const OURS: ReadonlySet<string> = new Set([
  'output_dir',
  'seed',
  'data_seed',
  'per_device_train_batch_size',
  'per_device_eval_batch_size',
  'use_cpu',
  'logging_strategy',
  'logging_steps',
  'logging_first_step',
  'logging_nan_inf_filter',
  'save_strategy',
  'save_total_limit',
  'save_only_model',
  'load_best_model_at_end',
  'push_to_hub',
  'hub_token',
  'report_to',
  'disable_tqdm',
  'padding_free',
  'dataset_kwargs',
  'model_init_kwargs',
  'resume_from_checkpoint',
  'enable_jit_checkpoint',
  'chat_template_path',
]);

/** Checks `train.trl` of both trainings against the fields of the TRL that is pinned, before any container starts. */
export async function checkTrl(recipe: Recipe): Promise<Mistake[]> {
  const { dsft, ddpo } = recipe;
  const mistakes: Mistake[] = [];
  if (Object.keys(dsft.train.trl).length > 0) {
    const { default: schema } = await import('../../configs/schema/trl-sft.json', { with: { type: 'json' } });
    mistakes.push(...check('dsft', 'SFTConfig', dsft.train.trl, Object.keys(schema.fields)));
  }
  if (Object.keys(ddpo.train.trl).length > 0) {
    const { default: schema } = await import('../../configs/schema/trl-dpo.json', { with: { type: 'json' } });
    mistakes.push(...check('ddpo', 'DPOConfig', ddpo.train.trl, Object.keys(schema.fields)));
  }
  return mistakes;
}

function check(
  stage: 'dsft' | 'ddpo',
  config: string,
  trl: Readonly<Record<string, unknown>>,
  fields: readonly string[],
): Mistake[] {
  const free = fields.filter((field) => !(field in IN_RECIPE) && !OURS.has(field));
  return Object.keys(trl).flatMap((key): Mistake[] => {
    const path: Path = [stage, 'train', 'trl', key];
    const name = path.join('.');
    const owner = IN_RECIPE[key];
    if (owner !== undefined)
      return [{ path, part: 'key', message: `"${name}" belongs to the recipe itself, expected ${stage}.${owner}` }];
    if (OURS.has(key)) return [{ path, part: 'key', message: `"${name}" is set by zephyr, expected it to be left out` }];
    if (fields.includes(key)) return [];
    return [{ path, part: 'key', message: `unknown key "${name}", no field of ${config}${didYouMean(key, free)}` }];
  });
}
