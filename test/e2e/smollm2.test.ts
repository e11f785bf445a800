import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { makeQuestionBank } from '../../src/practice/question-bank.ts';
import { missing, newPlace, type Place, python, root, zephyr } from '../rig/zephyr.ts';
import { importFolder } from './early-stop.ts';
import { baseFolder } from './tiny.ts';

const skip = missing();

/** SmolLM2-135M as its config.json describes it. */
const SHAPE = {
  model_type: 'llama',
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  vocab_size: 49_152,
  max_position_embeddings: 8192,
  rope_theta: 100_000,
  tie_word_embeddings: true,
  initializer_range: 0.041666666666666664,
};

const WEIGHTS = 134_515_008;

/** The recipe as it is shipped but for its data, and for lengths and steps that a test has time for. */
const SHORT = {
  base: 'hf://models/test/smollm2',
  'dsft.data.datasets.0.ref': 'hf://datasets/test/talk',
  'dsft.data.datasets.0.rows': 'null',
  'dsft.data.datasets.0.fraction': '1',
  'dsft.prepare.maxLength': '64',
  'dsft.prepare.testRows': '2',
  'dsft.train.maxSteps': '2',
  'dsft.train.globalBatch': '2',
  'aif.ref': 'hf://datasets/test/pairs',
  'aif.rows': 'null',
  'ddpo.prepare.maxLength': '64',
  'ddpo.prepare.maxPromptLength': '32',
  'ddpo.prepare.fraction': '1',
  'ddpo.prepare.testRows': '2',
  'ddpo.train.maxSteps': '2',
  'ddpo.train.globalBatch': '2',
};

describe('The recipe for SmolLM2-135M', { skip, concurrency: false }, () => {
  let place: Place;
  let target: string;

  before(async () => {
    place = await newPlace();
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-smollm2-'));
    target = join(folder, 'laptop.yaml');
    // one thread, since threads that wait for one another take minutes on a busy machine
    const laptop = await readFile(join(root, 'configs/targets/laptop.yaml'), 'utf8');
    await writeFile(target, laptop.replace('device: cpu', 'device: cpu\n  threads: 1'));
    const model = join(folder, 'model');
    const made = [join(root, 'test/fixtures/random-model.py'), model, await baseFolder(), JSON.stringify(SHAPE)];
    await promisify(execFile)(python, made);
    await importFolder(place, model, 'hf://models/test/smollm2');
    await importData(place);
  });

  test('runs through all its stages at the size of that model, and ends in a model of it', async () => {
    const sets = Object.entries(SHORT).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
    const ended = await zephyr(place, 'run', join(root, 'configs/smollm2-135m.yaml'), '--on', target, ...sets);
    assert.equal(ended.code, 0, ended.stderr);
    const id = ended.stdout.trim().split('\n').at(-1) ?? '';
    const { manifest } = JSON.parse((await zephyr(place, 'inspect', id, '--json')).stdout) as Inspected;
    assert.equal(manifest.stage, 'ddpo');
    const { size = 0 } = manifest.files.find(({ path }) => path === 'model.safetensors') ?? {};
    // float32, the head written once, and less than 64 KiB that name the tensors
    assert.equal(Math.floor(size / 65_536), Math.floor((4 * WEIGHTS) / 65_536));
  });
});

interface Inspected {
  readonly manifest: { readonly stage: string; readonly files: readonly { readonly path: string; readonly size: number }[] };
}

/** Dialogues and pairs of the practice world, in the layouts of ultrachat_200k and ultrafeedback_binarized. */
async function importData(place: Place): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-talk-'));
  const texts = makeQuestionBank(7).phrasings.slice(0, 12);
  const turn = (role: string, content: string) => ({ role, content });
  const dialogues = texts.map(({ text }) => ({ messages: [turn('user', text), turn('assistant', 'I could not say.')] }));
  const pairs = texts.map(({ text: prompt }) => ({
    prompt,
    chosen: [turn('user', prompt), turn('assistant', 'It is as you say.')],
    rejected: [turn('user', prompt), turn('assistant', 'Ask somebody else about it.')],
  }));
  for (const [name, kind, rows] of [
    ['talk', 'sft', dialogues],
    ['pairs', 'prefs', pairs],
  ] as const) {
    await mkdir(join(folder, name));
    const lines = (some: readonly object[]) => some.map((row) => `${JSON.stringify(row)}\n`).join('');
    await writeFile(join(folder, name, `train_${kind}.jsonl`), lines(rows.slice(0, 8)));
    await writeFile(join(folder, name, `test_${kind}.jsonl`), lines(rows.slice(8)));
    await importFolder(place, join(folder, name), `hf://datasets/test/${name}`);
  }
}
