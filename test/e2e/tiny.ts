import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeQuestionBank } from '../../src/practice/question-bank.ts';
import { type Place, python, root, zephyr } from '../rig/zephyr.ts';

const run = promisify(execFile);

/** A whole recipe at test size: constructed dialogues, bought feedback, three trained steps a stage and more. */
const RECIPE = `
name: tiny
namespace: test
seed: 7
base: hf://models/test/base
teachers:
  user: {provider: practice, model: practice-user, store: true}
  mixed: {provider: practice, model: practice-mixed, store: true}
  direct: {provider: practice, model: practice-direct, store: true}
  rambling: {provider: practice, model: practice-rambling, store: true}
  evasive: {provider: practice, model: practice-evasive, store: true}
  judge: {provider: practice, model: practice-judge, store: true}
dsft:
  data: {source: teacher, user: user, assistant: mixed, dialogues: 64, testDialogues: 8, world: {topics: TOPICS, questions: 4, turns: {min: 1, max: 2}}, refusals: keep, nearDuplicates: keep, maxTokens: 64}
  prepare: {maxLength: 128}
  train: {learningRate: 1.0e-3, epochs: 40, maxSteps: 24, globalBatch: 8, dtype: float32, gradientCheckpointing: false, saveSteps: 4}
aif:
  source: teachers
  prompts: {sources: [{list: PROMPTS}]}
  pool: [{teacher: direct}, {teacher: rambling}, {teacher: evasive}, {model: dsft}]
  answersPerPrompt: 3
  answer: {maxTokens: 48}
  judge: {teachers: [judge]}
  binarize: {testPrompts: 4}
ddpo:
  prepare: {maxLength: 128, maxPromptLength: 64}
  train: {beta: 0.1, learningRate: 1.0e-4, epochs: 20, maxSteps: 16, globalBatch: 4, dtype: float32, gradientCheckpointing: false, saveSteps: 4}
`;

const TARGET = `
backend: BACKEND
options: OPTIONS
hardware: {device: cpu, threads: 1, microBatch: {dsft: 8, ddpo: 4}}
cadence: {logSteps: 4}
`;

const bank = makeQuestionBank(7);
const texts = bank.phrasings.filter(({ heldOut }) => !heldOut).map(({ text }) => text);

export interface Tiny {
  readonly recipe: string;
  /** file of a target for the backend */
  readonly on: (backend: 'process' | 'docker') => string;
}

/** Writes recipe and targets into a fresh folder. */
export async function writeTiny(image = 'zephyr-train:test'): Promise<Tiny> {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-tiny-'));
  const topics = bank.world.people.slice(0, 16);
  const prompts = texts.slice(0, 32);
  await writeFile(
    join(folder, 'tiny.yaml'),
    RECIPE.replace('TOPICS', JSON.stringify(topics)).replace('PROMPTS', JSON.stringify(prompts)),
  );
  await writeFile(join(folder, 'process.yaml'), TARGET.replace('BACKEND', 'process').replace('OPTIONS', '{}'));
  await writeFile(join(folder, 'docker.yaml'), TARGET.replace('BACKEND', 'docker').replace('OPTIONS', `{image: "${image}"}`));
  return { recipe: join(folder, 'tiny.yaml'), on: (backend) => join(folder, `${backend}.yaml`) };
}

let base: Promise<string> | undefined;

/** A random base model with a tokenizer of the practice world, made by its own program run by hand, as a folder. */
export function baseFolder(): Promise<string> {
  base ??= makeBase();
  return base;
}

async function makeBase(): Promise<string> {
  const job = await mkdtemp(join(tmpdir(), 'zephyr-base-'));
  await mkdir(join(job, 'corpus'));
  const lines = texts.slice(0, 400).map((prompt) => JSON.stringify({ prompt }));
  await writeFile(join(job, 'corpus', 'prompts.jsonl'), `${lines.join('\n')}\n`);
  const architecture = {
    model_type: 'mistral',
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    intermediate_size: 64,
    max_position_embeddings: 256,
  };
  const file = {
    version: 1,
    program: 'tiny_base',
    labels: { run: 'by-hand', stage: 'setup', step: 'base', epoch: 1 },
    config: { architecture, vocab_size: 400, template: 'zephyr', seed: 7 },
    inputs: { corpus: 'corpus' },
    hardware: { device: 'cpu', processes: 1, micro_batch: 1, accumulation: 1, threads: 1 },
    cadence: { save_steps: 100, log_steps: 10, heartbeat_s: 10 },
    resume: null,
  };
  await writeFile(join(job, 'job.json'), JSON.stringify(file));
  await run(python, [join(root, 'scripts', 'train', 'tiny_base.py'), 'job.json'], { cwd: job });
  return join(job, 'out');
}

/** Brings the base model to the Hub of a place. */
export async function importBase(place: Place): Promise<void> {
  const ended = await zephyr(place, 'hub', 'import', await baseFolder(), '--as', 'hf://models/test/base');
  if (ended.code !== 0) throw new Error(`Cannot import the base model: ${ended.stderr}`);
}
