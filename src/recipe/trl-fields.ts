import type { Mistake, Path } from '../stages/mistake.ts';
import type { Stage } from '../stages/module.ts';
import { didYouMean } from '../stages/nearest.ts';
import { valueAt } from './mistakes.ts';
import type { Recipe } from './recipe.ts';

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
  precompute_ref_log_probs: 'train.reference',
};

/** Those of them that the recipe has for one kind of training alone. */
const OF_CONFIG: Readonly<Record<string, string>> = {
  beta: 'DPOConfig',
  loss_type: 'DPOConfig',
  max_prompt_length: 'DPOConfig',
  precompute_ref_log_probs: 'DPOConfig',
  packing: 'SFTConfig',
  assistant_only_loss: 'SFTConfig',
  completion_only_loss: 'SFTConfig',
};

/**
 * Fields that say where a training runs, or follow from it, and the target's field for each. In a recipe they would be part
 * of the fingerprint, and some of them do nothing without a word: TRL with `fsdp` set trains unsharded on a CPU.
 */
const IN_TARGET: Readonly<Record<string, string>> = {
  fsdp: 'hardware.sharding',
  fsdp_config: 'hardware.sharding',
  deepspeed: 'hardware.sharding',
  parallelism_config: 'hardware.sharding',
  accelerator_config: 'hardware.sharding',
  ddp_backend: 'hardware.sharding',
  ddp_broadcast_buffers: 'hardware.sharding',
  ddp_bucket_cap_mb: 'hardware.sharding',
  ddp_find_unused_parameters: 'hardware.sharding',
  ddp_static_graph: 'hardware.sharding',
  ddp_timeout: 'hardware.sharding',
  local_rank: 'hardware.processes',
  use_cpu: 'hardware.device',
  per_device_train_batch_size: 'hardware.microBatch',
  per_device_eval_batch_size: 'hardware.microBatch',
  auto_find_batch_size: 'hardware.microBatch',
  gradient_accumulation_steps: 'hardware.microBatch',
};

/** Fields that zephyr sets itself, or that would make the result depend on the number of ranks. */
const OURS: ReadonlySet<string> = new Set([
  'output_dir',
  'seed',
  'data_seed',
  'logging_strategy',
  'logging_steps',
  'logging_first_step',
  'logging_nan_inf_filter',
  'save_strategy',
  'save_total_limit',
  'save_only_model',
  'save_on_each_node',
  'log_on_each_node',
  'average_tokens_across_devices',
  'load_best_model_at_end',
  'push_to_hub',
  'hub_token',
  'report_to',
  'disable_tqdm',
  'padding_free',
  'dataset_kwargs',
  'model_init_kwargs',
  'resume_from_checkpoint',
  'ignore_data_skip', // a resumed training would begin again at the first row
  'enable_jit_checkpoint',
  'chat_template_path',
  'precompute_ref_batch_size',
  'sync_ref_model',
  'ref_model_mixup_alpha',
  'ref_model_sync_steps',
]);

/** Checks `train.trl` of every training against the fields of the TRL that is pinned, before any container starts. */
export async function checkTrl(recipe: Recipe, stages: readonly Stage[]): Promise<Mistake[]> {
  const found = await Promise.all(
    stages.map(async ({ name, trl: pinned }) => {
      const path = [name, 'train', 'trl'];
      const given = Object.keys((valueAt(recipe, path) as object | undefined) ?? {});
      if (pinned === undefined || given.length === 0) return [];
      const fields = await pinned.fields();
      return given.flatMap((key) => mistakeOf([...path, key], key, { ...pinned, fields }) ?? []);
    }),
  );
  return found.flat();
}

function mistakeOf(
  path: Path,
  key: string,
  { config, fields }: { readonly config: string; readonly fields: readonly string[] },
): Mistake | undefined {
  const name = path.join('.');
  const stage = String(path[0]);
  const owner = IN_RECIPE[key];
  if (owner !== undefined && (OF_CONFIG[key] ?? config) === config)
    return { path, part: 'key', message: `"${name}" belongs to the recipe itself, expected ${stage}.${owner}` };
  const place = IN_TARGET[key];
  if (place !== undefined) return { path, part: 'key', message: `"${name}" belongs to the target, expected ${place} there` };
  if (OURS.has(key) || (owner !== undefined && fields.includes(key)))
    return { path, part: 'key', message: `"${name}" is set by zephyr, expected it to be left out` };
  if (fields.includes(key)) return undefined;
  const free = fields.filter((field) => !(field in IN_RECIPE) && !(field in IN_TARGET) && !OURS.has(field));
  return { path, part: 'key', message: `unknown key "${name}", no field of ${config}${didYouMean(key, free)}` };
}
