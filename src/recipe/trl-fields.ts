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
  const owner = IN_RECIPE[key];
  if (owner !== undefined)
    return { path, part: 'key', message: `"${name}" belongs to the recipe itself, expected ${String(path[0])}.${owner}` };
  if (OURS.has(key)) return { path, part: 'key', message: `"${name}" is set by zephyr, expected it to be left out` };
  if (fields.includes(key)) return undefined;
  const free = fields.filter((field) => !(field in IN_RECIPE) && !OURS.has(field));
  return { path, part: 'key', message: `unknown key "${name}", no field of ${config}${didYouMean(key, free)}` };
}
