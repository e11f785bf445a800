import assert from 'node:assert/strict';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { MISTRAL_CONFIG } from '../plan/fit/cases.ts';
import { assertMistake } from '../rig/mistake.ts';
import { missing, newPlace, type Place, runsAt, zephyr } from '../rig/zephyr.ts';
import { importFolder } from './early-stop.ts';

const skip = missing();

/** ZEPHYR-7B from published data, as far as memory and time follow from it. */
const RECIPE = `
name: seven
namespace: test
base: hf://models/test/seven
dsft:
  data: {source: datasets, datasets: [{ref: hf://datasets/test/chat, rows: {train_sft: 207865}}]}
  train: {learningRate: 2.0e-5, epochs: 1, globalBatch: 128, attention: sdpa}
aif: {source: pairs, ref: hf://datasets/test/prefs, rows: {train_prefs: 61135}}
ddpo:
  train: {beta: 0.01, learningRate: 5.0e-7, epochs: 1, globalBatch: 128, attention: sdpa}
`;
const MEMORY = ['weights', 'gradients', 'optimizer', 'reference', 'activations', 'logits', 'buckets', 'overhead'];

describe('whether a 7B fits', { skip }, () => {
  let place: Place;
  let folder: string;
  let recipe: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'zephyr-fit-'));
    place = await newPlace();
    recipe = await file('recipe.yaml', RECIPE);
    await publish('hf://models/test/seven', { 'config.json': JSON.stringify(MISTRAL_CONFIG) });
    await publish('hf://datasets/test/chat', { 'train_sft.jsonl': '{}\n', 'test_sft.jsonl': '{}\n' });
    await publish('hf://datasets/test/prefs', { 'train_prefs.jsonl': '{}\n', 'test_prefs.jsonl': '{}\n' });
  });

  async function file(name: string, text: string): Promise<string> {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    return path;
  }

  async function publish(ref: string, files: Readonly<Record<string, string>>): Promise<void> {
    const name = ref.replaceAll(/\W+/g, '-');
    for (const [path, text] of Object.entries(files)) await file(join(name, path), text);
    await importFolder(place, join(folder, name), ref);
  }

  async function target(hardware: string): Promise<string> {
    return await file('target.yaml', `backend: process\nhardware: {device: cuda, ${hardware}}\n`);
  }

  const EIGHT = 'processes: 8, microBatch: {dsft: 16, ddpo: 8}, gpu: {name: H100, memoryGb: 80, tflops: 989, dollarsPerHour: 2}';
  const plan = async (hardware: string, ...more: string[]) =>
    await zephyr(place, 'plan', recipe, '--on', await target(hardware), ...more);

  test('on eight GPUs that share is told part by part, with hours and dollars, within 80 columns', async () => {
    const { code, stdout } = await plan(`sharding: fsdp2, ${EIGHT}`);
    assert.equal(code, 0, stdout);
    const told = stdout.slice(stdout.indexOf('Estimated: '));
    const lines = told.split('\n');
    assert.match(lines[1] ?? '', /^ +dsft\/train +ddpo\/reference +ddpo\/train$/);
    assert.match(told, /^sum +3\d\.\d +\d\.\d +2\d\.\d$/m);
    assert.match(told, /^of H100 +79\.2 +79\.2 +79\.2$/m);
    assert.match(told, /^GPU hours +11\.0 +0\.\d\d +\d\.\d\d$/m);
    assert.match(told, /^dollars +\$\d\d\.\d\d +\$\d\.\d\d +\$\d\.\d\d$/m);
    assert.match(told, /^Tokens of dsft\/train: guessed: 1374 tokens a dialogue/m);
    assert.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
    );
  });

  test('as JSON has bytes, seconds and dollars for each step', async () => {
    const { code, stdout } = await plan(`sharding: fsdp2, ${EIGHT}`, '--json');
    assert.equal(code, 0);
    const { fit } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    assert.deepEqual(
      fit.map(({ step, verdict, ranks }: Record<string, unknown>) => [step, verdict, ranks]),
      ['dsft/train', 'ddpo/reference', 'ddpo/train'].map((step) => [step, 'fits', 8]),
    );
    for (const { memory, seconds, gpuHours, dollars } of fit) {
      const parts = MEMORY.reduce((sum, part) => sum + memory[part], 0);
      assert.ok(Math.abs(parts - memory.sum) < 1 && memory.sum < memory.device);
      assert.ok(Math.abs((seconds * 8) / 3600 - gpuHours) < 1e-6 && Math.abs(dollars - 2 * gpuHours) < 1e-6);
    }
  });

  test('is told although the image is missing that jobs would run in', async () => {
    const options = 'options: {image: zephyr-no-such-image}';
    const hardware = `hardware: {device: cuda, sharding: fsdp2, ${EIGHT}}`;
    const on = await file('image.yaml', `backend: docker\n${options}\n${hardware}\n`);
    const planned = await zephyr(place, 'plan', recipe, '--on', on);
    assertMistake(planned, 3, /zephyr-no-such-image|docker/);
    assert.match(planned.stdout, /^of H100 +79\.2 +79\.2 +79\.2$/m);
  });

  test('is refused by plan, run and a stage alike, with what would fit, before any job', async () => {
    const on = await target(EIGHT);
    const why = /^error: Cannot fit dsft\/train: it needs about 17\d\.\d GiB on each of 8 GPUs, expected at most 79\.2\n/m;
    const hint = /dsft\/train and ddpo\/train fit with hardware\.sharding: fsdp2/;
    const dsft = /dsft\/train fits with hardware\.sharding: fsdp2/;
    assertMistake(await zephyr(place, 'plan', recipe, '--on', on), 2, why, hint);
    assertMistake(await zephyr(place, 'run', recipe, '--on', on), 2, why, hint);
    assertMistake(await zephyr(place, 'dsft', recipe, '--on', on), 2, /Cannot fit dsft\/train/, dsft);
    const saved = join(folder, 'saved.json');
    assertMistake(await zephyr(place, 'plan', recipe, '--on', on, '--out', saved), 2, why, hint);
    assertMistake(await zephyr(place, 'run', saved), 2, /./);
    assert.deepEqual(await runsAt(place), [], 'no run was begun');
  });

  test('is warned of above nine tenths of the memory, and not checked where the target does not say what a GPU is', async () => {
    const tight = await plan('processes: 8, sharding: fsdp2, microBatch: {dsft: 16, ddpo: 8}, gpu: {memoryGb: 35}');
    assert.equal(tight.code, 0, tight.stderr);
    assert.match(tight.stdout, /^warning: dsft\/train needs 9\d % of a GPU's memory/m);
    assert.match(tight.stdout, /^For GPU hours name the speed of the GPU in the target, hardware\.gpu\.tflops$/m);
    const unknown = await plan('microBatch: {dsft: 16, ddpo: 8}');
    assert.equal(unknown.code, 0);
    assert.match(unknown.stdout, /^Whether it fits is not checked: the target does not say hardware\.gpu: .{0,24}$/m);
    const cpu = await zephyr(
      place,
      'plan',
      recipe,
      '--on',
      await file('cpu.yaml', 'backend: process\nhardware: {device: cpu}\n'),
    );
    assert.match(cpu.stdout, /^Whether it fits into the memory of the machine is not checked$/m);
    assert.doesNotMatch(cpu.stdout, /GPU/);
  });

  test('has hints that fit together where GPUs are small, and none of LoRA where an adapter is trained already', async () => {
    const small = await plan('processes: 2, microBatch: {dsft: 16, ddpo: 8}, gpu: {memoryGb: 24}');
    const both = /dsft\/train and ddpo\/train fit with hardware\.sharding: fsdp2 and hardware\.offload: true/;
    assertMistake(small, 2, /Cannot fit dsft\/train/, both);
    const lora = ['dsft', 'ddpo'].flatMap((stage) => ['--set', `${stage}.lora={r: 8, alpha: 8}`]);
    const tiny = await plan('microBatch: {dsft: 1, ddpo: 1}, gpu: {memoryGb: 2}', ...lora);
    assertMistake(tiny, 2, /Cannot fit dsft\/train/, /try shorter rows \(prepare\.maxLength\), or larger GPUs/);
  });

  test('of an architecture that the formula was not made for is said to be unknown, in one line a step', async () => {
    await publish('hf://models/test/other', { 'config.json': '{"model_type": "mixtral"}' });
    const { code, stdout } = await plan(EIGHT, '--set', 'base=hf://models/test/other');
    assert.equal(code, 0);
    assert.match(stdout, /^Memory of dsft\/train is not known: its architecture "mixtral" is none/m);
    assert.doesNotMatch(stdout, /^Estimated/m);
  });
});
