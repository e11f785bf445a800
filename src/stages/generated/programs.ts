// Written by scripts/generate.mjs from the programs of scripts/train: change those, and run it again.
import type { Json } from '../../base/canonical-json.ts';

type TrainConfig = { readonly template: string; readonly bos?: 'keep' | 'none'; readonly max_length: number; readonly seed:
    number; readonly learning_rate: number; readonly schedule: string; readonly warmup: number; readonly epochs?: number | null;
    readonly max_steps?: number | null; readonly global_batch: number; readonly optimizer: string; readonly weight_decay:
    number; readonly dtype: 'bfloat16' | 'float32'; readonly attention: string; readonly gradient_checkpointing: boolean;
    readonly lora: { readonly r: number; readonly alpha: number; readonly dropout: number; readonly targets: readonly
    (string)[]; } | null; readonly quantization: 'nf4' | null; readonly trl?: { readonly [name: string]: Json }; };

type PrepareConfig = { readonly template: string; readonly system: 'empty' | 'none'; readonly max_length: number; readonly seed:
    number; readonly sources: readonly ({ readonly input: string; readonly train: string; readonly test: string | null;
    readonly fraction: number; readonly rows: { readonly [name: string]: number } | null; readonly config?: string | null; })[];
    readonly bos?: 'keep' | 'none'; readonly max_dropped?: number; readonly test_rows?: number | null; };

/** The config of each program's job, as the dataclass that the program reads it into. */
export type ProgramConfigs = {
  readonly alpaca_requests: { readonly versions: readonly (1 | 2)[]; readonly rejudge: readonly ({ readonly model: string;
    readonly input: string; readonly file: string; })[]; };
  readonly alpaca_results: { readonly versions: readonly (1 | 2)[]; readonly rejudge: { readonly [name: string]: string };
    readonly judges: { readonly [name: string]: readonly ({ readonly teacher: string; readonly identity: { readonly [name:
    string]: Json }; })[] }; readonly repeats: number; readonly protocol: { readonly [name: string]: Json }; readonly source:
    string; };
  readonly ddpo: TrainConfig & { readonly beta: number; readonly loss_type: string; };
  readonly dsft: TrainConfig & { readonly packing: boolean; readonly loss_tokens: 'all' | 'assistant'; };
  readonly generate: { readonly template: string; readonly max_new_tokens: number; readonly temperature: number; readonly top_p:
    number; readonly samples: number; readonly batch_size: number; readonly seed: number; readonly engine: 'transformers' |
    'vllm'; readonly system: 'empty' | 'none'; readonly bos?: 'keep' | 'none'; readonly prompts_file?: string | null;
    readonly too_long?: 'refuse' | 'mark'; };
  readonly harness: { readonly template: string; readonly system: 'empty' | 'none'; readonly benchmarks: readonly ({
    readonly name: string; readonly data?: string | null; readonly source?: string | null; readonly limit?: number | null;
    readonly subjects?: readonly (string)[] | null; })[]; readonly batch_size: number; readonly bos?: 'keep' | 'none'; };
  readonly ifbench_score: { readonly protocol: { readonly [name: string]: Json }; };
  readonly merge: { readonly dtype: 'bfloat16' | 'float32'; };
  readonly ppo: TrainConfig & { readonly beta: number; readonly max_new_tokens: number; readonly temperature: number; };
  readonly prepare: PrepareConfig & { readonly kind: 'sft'; readonly packing: boolean; readonly loss_tokens: 'all' |
    'assistant'; readonly filters: { readonly truecase: boolean; readonly drop_refusals: boolean; }; } | PrepareConfig & {
    readonly kind: 'prefs'; readonly max_prompt_length: number; };
  readonly reference: { readonly dtype: 'bfloat16' | 'float32'; readonly attention: string; readonly adapter: boolean;
    readonly quantization: 'nf4' | null; readonly batch_tokens: number; };
  readonly reward: { readonly batch_size: number; readonly max_length: number; };
  readonly reward_model: TrainConfig & {  };
  readonly rloo: TrainConfig & { readonly beta: number; readonly generations: number; readonly max_new_tokens: number;
    readonly temperature: number; };
  readonly tiny_base: { readonly architecture: { readonly model_type: 'mistral'; readonly hidden_size: number;
    readonly num_hidden_layers: number; readonly num_attention_heads: number; readonly num_key_value_heads: number;
    readonly intermediate_size: number; readonly max_position_embeddings: number; }; readonly vocab_size: number;
    readonly template: string; readonly seed: number; };
};

/** The files of scripts/train that each program reads: itself, what it imports, the chat template. */
export const PROGRAM_FILES = {
  alpaca_requests: ['alpaca_pairs.py', 'alpaca_requests.py', 'canonical_json.py', 'durable_files.py', 'exits.py', 'job.py',
    'json_lines.py', 'run_job.py', 'typed_json.py'],
  alpaca_results: ['alpaca_pairs.py', 'alpaca_results.py', 'canonical_json.py', 'durable_files.py', 'exits.py', 'job.py',
    'json_lines.py', 'run_job.py', 'typed_json.py'],
  ddpo: ['attention.py', 'canonical_json.py', 'chat_tokenizer.py', 'checkpoint.py', 'ddpo.py', 'durable_files.py', 'exits.py',
    'job.py', 'label_logps.py', 'load_model.py', 'one_head.py', 'pair_attention.py', 'pair_batches.py', 'pair_logps.py',
    'pairs_apart.py', 'preference_losses.py', 'preference_trainer.py', 'reference_check.py', 'reference_rows.py', 'run_job.py',
    'saving.py', 'sharded_state.py', 'throughput.py', 'train_config.py', 'training.py', 'training_rows.py', 'typed_json.py',
    'templates/zephyr.jinja'],
  dsft: ['attention.py', 'canonical_json.py', 'chat_tokenizer.py', 'checkpoint.py', 'dsft.py', 'durable_files.py', 'exits.py',
    'job.py', 'load_model.py', 'one_head.py', 'run_job.py', 'saving.py', 'sharded_state.py', 'throughput.py', 'train_config.py',
    'training.py', 'training_rows.py', 'typed_json.py', 'templates/zephyr.jinja'],
  generate: ['all_ranks.py', 'canonical_json.py', 'chat_tokenizer.py', 'checkpoint.py', 'decode.py', 'durable_files.py',
    'exits.py', 'generate.py', 'job.py', 'json_lines.py', 'records.py', 'run_job.py', 'typed_json.py',
    'templates/zephyr.jinja'],
  harness: ['all_ranks.py', 'canonical_json.py', 'chat_tokenizer.py', 'checkpoint.py', 'dataset_files.py', 'dataset_reader.py',
    'durable_files.py', 'exits.py', 'harness.py', 'harness_requests.py', 'harness_scores.py', 'harness_tasks.py', 'job.py',
    'json_lines.py', 'records.py', 'run_job.py', 'scored_folder.py', 'typed_json.py', 'templates/zephyr.jinja'],
  ifbench_score: ['canonical_json.py', 'durable_files.py', 'exits.py', 'ifbench_checks.py', 'ifbench_score.py', 'job.py',
    'json_lines.py', 'run_job.py', 'scored_folder.py', 'typed_json.py'],
  merge: ['canonical_json.py', 'chat_tokenizer.py', 'durable_files.py', 'exits.py', 'job.py', 'merge.py', 'one_head.py',
    'run_job.py', 'typed_json.py'],
  ppo: ['attention.py', 'canonical_json.py', 'chat_tokenizer.py', 'checkpoint.py', 'durable_files.py', 'exits.py', 'job.py',
    'load_model.py', 'one_head.py', 'ppo.py', 'ppo_trainer.py', 'reward_head.py', 'rl_prompts.py', 'run_job.py', 'saving.py',
    'sharded_state.py', 'throughput.py', 'train_config.py', 'training.py', 'training_rows.py', 'typed_json.py',
    'templates/zephyr.jinja'],
  prepare: ['canonical_json.py', 'chat_tokenizer.py', 'dataset_files.py', 'dataset_reader.py', 'dialogue_rows.py',
    'durable_files.py', 'exits.py', 'filters.py', 'job.py', 'json_lines.py', 'left_out.py', 'messages.py', 'preference_rows.py',
    'prepare.py', 'prepare_config.py', 'row_shapes.py', 'run_job.py', 'source_rows.py', 'training_rows.py', 'typed_json.py',
    'templates/zephyr.jinja'],
  reference: ['all_ranks.py', 'attention.py', 'canonical_json.py', 'chat_tokenizer.py', 'checkpoint.py', 'durable_files.py',
    'exits.py', 'job.py', 'json_lines.py', 'label_logps.py', 'load_model.py', 'pair_attention.py', 'pair_batches.py',
    'pair_logps.py', 'pairs_apart.py', 'records.py', 'reference.py', 'reference_rows.py', 'run_job.py', 'train_config.py',
    'training_rows.py', 'typed_json.py'],
  reward: ['all_ranks.py', 'canonical_json.py', 'chat_tokenizer.py', 'checkpoint.py', 'durable_files.py', 'exits.py', 'job.py',
    'json_lines.py', 'records.py', 'reward.py', 'run_job.py', 'typed_json.py'],
  reward_model: ['attention.py', 'canonical_json.py', 'chat_tokenizer.py', 'checkpoint.py', 'durable_files.py', 'exits.py',
    'job.py', 'load_model.py', 'one_head.py', 'reward_head.py', 'reward_model.py', 'run_job.py', 'saving.py',
    'sharded_state.py', 'throughput.py', 'train_config.py', 'training.py', 'training_rows.py', 'typed_json.py',
    'templates/zephyr.jinja'],
  rloo: ['attention.py', 'canonical_json.py', 'chat_tokenizer.py', 'checkpoint.py', 'durable_files.py', 'exits.py', 'job.py',
    'load_model.py', 'one_head.py', 'reward_head.py', 'reward_trainer.py', 'rl_prompts.py', 'rloo.py', 'run_job.py',
    'saving.py', 'sharded_state.py', 'throughput.py', 'train_config.py', 'training.py', 'training_rows.py', 'typed_json.py',
    'templates/zephyr.jinja'],
  tiny_base: ['canonical_json.py', 'chat_tokenizer.py', 'durable_files.py', 'exits.py', 'job.py', 'json_lines.py',
    'messages.py', 'row_shapes.py', 'run_job.py', 'tiny_base.py', 'typed_json.py', 'templates/zephyr.jinja'],
} satisfies Readonly<Record<keyof ProgramConfigs, readonly string[]>>;

/** The Python environment of each program, a folder of scripts/train/environments. */
export const PROGRAM_ENVIRONMENTS = {
  alpaca_requests: 'alpaca-eval',
  alpaca_results: 'alpaca-eval',
  ddpo: 'train',
  dsft: 'train',
  generate: 'train',
  harness: 'lm-eval',
  ifbench_score: 'lm-eval',
  merge: 'train',
  ppo: 'ppo',
  prepare: 'train',
  reference: 'train',
  reward: 'train',
  reward_model: 'train',
  rloo: 'train',
  tiny_base: 'train',
} satisfies Readonly<Record<keyof ProgramConfigs, string>>;

export const MASKED_ATTENTION = ['sdpa', 'eager'] as const;
export const FLASH_ATTENTION = ['flash_attention_2', 'flash_attention_3', 'kernels-community/flash-attn2',
    'kernels-community/flash-attn3', 'kernels-community/vllm-flash-attn3'] as const;
