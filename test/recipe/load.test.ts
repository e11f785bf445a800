import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { stringify } from 'yaml';
import { BACKENDS } from '../../src/backends/registry.ts';
import { ZephyrError } from '../../src/errors.ts';
import { changeRecipe, loadRecipe } from '../../src/recipe/load.ts';
import { loadTarget } from '../../src/recipe/load-target.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { STAGE_STEPS, type StagedRecipe, stages } from '../rig/stages.ts';
import { minimalData } from './minimal.ts';

describe('A recipe file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-recipe-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'recipe.yaml');
  const plain = { stages, set: [], env: {} };

  async function load(text: string, options: Partial<Parameters<typeof loadRecipe>[1]> = {}) {
    await writeFile(file, text);
    return (await loadRecipe(file, { ...plain, ...options })) as StagedRecipe;
  }

  const change = async (recipe: Recipe, set: string[]) =>
    (await changeRecipe(recipe, 'the run', { stages, set })) as StagedRecipe;

  async function mistakes(text: string, options: Partial<Parameters<typeof loadRecipe>[1]> = {}): Promise<string[]> {
    const error = await load(text, options).then(
      () => assert.fail('expected a mistake'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof ZephyrError, String(error));
    assert.equal(error.exit, 'usage');
    return error.message.split('\n').map((line) => line.replace(folder, '.'));
  }

  const minimal = stringify(minimalData());

  it('is filled in with every default', async () => {
    const recipe = await load(minimal);
    assert.equal(recipe.namespace, 'local');
    assert.equal(recipe.seed, 42);
    assert.equal(recipe.dsft.prepare.maxLength, 2048);
    assert.equal(recipe.dsft.train.schedule, 'cosine');
    assert.deepEqual(recipe.dsft.data.source === 'datasets' && recipe.dsft.data.datasets[0]?.train, 'train_sft');
    assert.equal(recipe.ddpo.prepare.maxPromptLength, 512);
  });

  it('reads numbers as YAML 1.2 has them: 5e-7 is a number, on is a text', async () => {
    const recipe = await load(minimal.replace('learningRate: 0.0001', 'learningRate: 5e-7').replace('name: mini', 'name: on'));
    assert.equal(recipe.dsft.train.learningRate, 5e-7);
    assert.equal(recipe.name, 'on');
  });

  it('tells every mistake at once, each at its line and column, with the nearest known key', async () => {
    const text = [
      'name: mini',
      'sede: 3',
      'base: org/base',
      'dsft:',
      '  data: { source: dataset, datasets: [] }',
      '  train: { learningRate: fast, epochs: 1, globalBatch: 8.5, maxSteps: 0, trl: {} }',
      'aif: { source: pairs, reff: "hf://datasets/org/pairs" }',
      'ddpo:',
      '  train:',
      '    learningRate: 1e-6',
      '    lossType: sigmod',
      '    epochs: 1',
      '    globalBatch: 8',
    ].join('\n');
    assert.deepEqual(await mistakes(text), [
      './recipe.yaml:2:1: unknown key "sede"; did you mean "seed"?',
      './recipe.yaml:3:7: base: expected hf://models/ORG/NAME[@REVISION], got "org/base"',
      './recipe.yaml:5:19: dsft.data.source: expected one of datasets, teacher, got "dataset"; did you mean "datasets"?',
      './recipe.yaml:5:38: dsft.data.datasets: expected at least 1 item, got []',
      './recipe.yaml:6:26: dsft.train.learningRate: expected a number, got "fast"',
      './recipe.yaml:6:56: dsft.train.globalBatch: expected a whole number, got 8.5',
      './recipe.yaml:6:71: dsft.train.maxSteps: expected more than 0, got 0',
      './recipe.yaml:7:6: missing "aif.ref": expected a text',
      './recipe.yaml:7:23: unknown key "aif.reff"; did you mean "ref"?',
      './recipe.yaml:10:5: missing "ddpo.train.beta": expected a number',
      './recipe.yaml:11:15: ddpo.train.lossType: expected one of sigmoid, hinge, ipo, robust, exo_pair, nca_pair, bco_pair, sppo_hard, aot, aot_unpaired, apo_zero, apo_down, discopop, sigmoid_norm, got "sigmod"; did you mean "sigmoid"?',
    ]);
  });

  it('tells what is wrong within the member of a union that a value is meant to be', async () => {
    const said = async (aif: string) => {
      const pool = 'pool: [{teacher: t}, {teacher: u}], answersPerPrompt: 2, judge: {teachers: [t]}';
      const teachers = 'teachers={t: {provider: practice, model: m}, u: {provider: practice, model: n}}';
      return (await mistakes(minimal, { set: [teachers, `aif={source: teachers, ${pool}, ${aif}}`] })).map(
        (line) => line.split('}: ').at(-1) ?? '',
      );
    };
    const prompts = 'prompts: {sources: [{list: [a]}]}';
    const known = 'expected one of helpfulness, harmlessness, honesty, verbalized_calibration, truthfulness';
    assert.deepEqual(await said(`${prompts}, principles: [kind]`), [`aif.principles.0: ${known}, got "kind"`]);
    assert.deepEqual(await said(`${prompts}, principles: {default: {honest: 1}}`), [
      'unknown key "aif.principles.default.honest"; did you mean "honesty"?',
    ]);
    assert.deepEqual(await said(`${prompts}, principles: {default: {kind: 1}}`), [
      `unknown key "aif.principles.default.kind", ${known}`,
    ]);
    assert.deepEqual(await said('prompts: {sources: [{list: [{prompt: 3}]}]}'), [
      'aif.prompts.sources.0.list.0.prompt: expected a text, got 3',
    ]);
  });

  it('tells an error of syntax and a key that stands twice at their place', async () => {
    assert.match((await mistakes('name: a\nname: b\n'))[0] ?? '', /^\.\/recipe\.yaml:2:1: Map keys must be unique/);
    assert.match((await mistakes('name: "a\n'))[0] ?? '', /^\.\/recipe\.yaml:\d+:\d+: /);
  });

  it('gives way to the environment, and that to --set', async () => {
    const env = { ZEPHYR_NAMESPACE: 'team', ZEPHYR_SET: 'seed=7; dsft.train.epochs=2' };
    const recipe = await load(minimal, {
      env,
      set: ['seed=8', 'dsft.data.datasets.0.fraction=0.5', 'ddpo.lora={r: 8, alpha: 8}'],
    });
    assert.equal(recipe.namespace, 'team');
    assert.equal(recipe.seed, 8);
    assert.equal(recipe.dsft.train.epochs, 2);
    assert.equal(recipe.dsft.data.source === 'datasets' && recipe.dsft.data.datasets[0]?.fraction, 0.5);
    assert.equal(recipe.ddpo.lora?.r, 8);
  });

  it('takes --set of the place after the end of a list as a further entry, and of a place behind that as a mistake', async () => {
    const one = '{ref: "hf://datasets/org/more"}';
    const { data } = (await load(minimal, { set: [`dsft.data.datasets.1=${one}`] })).dsft;
    assert.equal(data.source === 'datasets' && data.datasets.map(({ ref }) => ref).at(-1), 'hf://datasets/org/more');
    const [mistake = ''] = await mistakes(minimal, { set: [`dsft.data.datasets.2=${one}`] });
    assert.match(mistake, /"2" is no place in a list of 1, expected 0 to 1$/);
  });

  it('blames the --set or the variable that brought a mistake in', async () => {
    assert.deepEqual(await mistakes(minimal, { set: ['dsft.train.epochs=none'] }), [
      '--set dsft.train.epochs=none: dsft.train.epochs: expected a number, got "none"',
    ]);
    assert.deepEqual(await mistakes(minimal, { env: { ZEPHYR_SET: 'dsft.trian.epochs=1' } }), [
      'ZEPHYR_SET dsft.trian.epochs=1: unknown key "dsft.trian"; did you mean "train"?',
    ]);
    assert.deepEqual(await mistakes(minimal, { set: ['seed'] }), ['Cannot read --set seed: expected PATH=VALUE']);
    assert.match(
      (await mistakes(minimal, { set: ['name.x=1'] }))[0] ?? '',
      /^Cannot apply --set name\.x=1: "x" lies below "mini"/,
    );
    assert.match((await mistakes(minimal, { set: ['seed=[1'] }))[0] ?? '', /^Cannot read --set seed=\[1: /);
    assert.match(
      (await mistakes(minimal, { set: ['name=*mini'] }))[0] ?? '',
      /^Cannot read --set name=\*mini: expected the anchor/,
    );
  });

  it('reads topics from a file beside it, so that from then on it needs no file', async () => {
    await writeFile(join(folder, 'topics.txt'), 'tea\n\n coffee \n');
    const set = [
      'teachers={t: {provider: practice, model: practice-mixed}}',
      'dsft.data={source: teacher, user: t, assistant: t, dialogues: 3, world: {topicsFile: topics.txt}}',
    ];
    const { data } = (await load(minimal, { set })).dsft;
    assert.deepEqual(data.source === 'teacher' && [data.world?.topics, 'topicsFile' in (data.world ?? {})], [
      ['tea', 'coffee'],
      false,
    ]);
    const missing = set.map((text) => text.replace('topics.txt', 'none.txt'));
    assert.match(
      (await mistakes(minimal, { set: missing }))[0] ?? '',
      /dsft\.data\.world\.topicsFile: expected a text file, there is none at/,
    );
  });

  it('reads prompts from a file beside it, texts or JSON Lines, and names the lines that are neither', async () => {
    const set = (file: string, more = '') => [
      'teachers={t: {provider: practice, model: practice-mixed}, u: {provider: practice, model: practice-direct}}',
      `aif={source: teachers, prompts: {sources: [{file: ${file}}]${more}}, pool: [{teacher: t}, {teacher: u}], answersPerPrompt: 2, judge: {teachers: [t]}, binarize: {testPrompts: 0}}`,
    ];
    const sources = async (file: string, more?: string) => {
      const { aif } = await load(minimal, { set: set(file, more) });
      return aif.source === 'teachers' && aif.prompts.sources.map(({ name, list }) => [name, list]);
    };
    await writeFile(join(folder, 'asked.txt'), 'tea?\n\n coffee? \r\n');
    assert.deepEqual(await sources('asked.txt'), [['asked', ['tea?', 'coffee?']]]);
    await writeFile(
      join(folder, 'asked.jsonl'),
      '{"prompt": "tea?", "prompt_id": "t", "source": "me", "more": 1}\n\n{"prompt"\n{"prompt": 7}\n',
    );
    assert.match(
      (await mistakes(minimal, { set: set('asked.jsonl') }))[0] ?? '',
      /aif\.prompts\.sources\.0\.file: expected JSON objects with a text "prompt", got others in 2 lines: 3, 4$/,
    );
    assert.deepEqual(await sources('asked.jsonl', ', skipInvalid: true'), [
      ['asked', [{ prompt: 'tea?', prompt_id: 't', source: 'me' }, { malformed: '{"prompt"' }, { malformed: '{"prompt": 7}' }]],
    ]);
    await writeFile(join(folder, 'asked.csv'), 'prompt\ntea?\n');
    assert.match(
      (await mistakes(minimal, { set: set('asked.csv') }))[0] ?? '',
      /sources\.0\.file: expected a \.txt file with one prompt a line or a \.jsonl file .*, got "asked\.csv"$/,
    );
    await writeFile(join(folder, 'asked.txt'), 'x'.repeat(2 << 20));
    assert.match((await mistakes(minimal, { set: set('asked.txt') }))[0] ?? '', /zephyr hub import FOLDER --as/);
  });

  it('loses a value that --set gives null: its default holds again, or there is none', async () => {
    const full = await load(minimal, { set: ['dsft.train.maxSteps=7', 'dsft.train.trl={neftune_noise_alpha: 5}'] });
    assert.equal(full.dsft.train.maxSteps, 7);
    const again = await change(full, ['dsft.train.maxSteps=null', 'seed=null', 'ddpo.lora.r=null']);
    assert.deepEqual([again.dsft.train.maxSteps, again.seed, again.ddpo.lora], [undefined, 42, undefined]);
    // of its own meaning: no held-out split, a field of TRL's that is None
    const nothing = ['dsft.data.datasets.0.test=null', 'dsft.train.trl.neftune_noise_alpha=null'];
    const { dsft } = await change(full, nothing);
    assert.equal(dsft.data.source === 'datasets' && dsft.data.datasets[0]?.test, null);
    assert.deepEqual(dsft.train.trl, { neftune_noise_alpha: null });

    assert.deepEqual(await mistakes(minimal, { set: ['name=null'] }), ['--set name=null: missing "name": expected a text']);
    assert.match((await mistakes(minimal, { set: ['sed=null'] }))[0] ?? '', /unknown key "sed"; did you mean "seed"\?$/);
    assert.match((await mistakes(minimal, { set: ['dsft.data.datasets.0=null'] }))[0] ?? '', /expected a mapping, got null$/);
    assert.match((await mistakes(minimal, { set: ['seed='] }))[0] ?? '', /^Cannot read --set seed=: expected a value after "="$/);
  });

  it('has no cap any more when a budget is taken away from a run', async () => {
    const teachers = 'teachers={t: {provider: practice, model: m, price: {input: 1, output: 1, date: 2026-01-01, source: here}}}';
    const data = 'dsft.data={source: teacher, user: t, assistant: t, dialogues: 3, world: {topics: [tea]}, budgetUsd: 5}';
    const judged = 'pool: [{teacher: t}, {model: dsft}], answersPerPrompt: 2, judge: {teachers: [t]}, binarize: {testPrompts: 0}';
    const aif = `aif={source: teachers, budgetUsd: 5, prompts: {sources: [{list: [a]}]}, ${judged}}`;
    const capped = await load(minimal, { set: [teachers, data, aif] });
    const capsOf = (recipe: Recipe) =>
      [...STAGE_STEPS.dsft(recipe), ...STAGE_STEPS.aif(recipe)].flatMap(({ budgetUsd }) =>
        budgetUsd === undefined ? [] : [budgetUsd],
      );
    assert.deepEqual(capsOf(capped), [5, 5, 5]);
    const free = await change(capped, ['aif.budgetUsd=null', 'dsft.data.budgetUsd=null']);
    assert.deepEqual(capsOf(free), []);
  });

  it('names only teachers that it has', async () => {
    const set = [
      'teachers={talker: {provider: practice, model: m}}',
      'dsft.data={source: teacher, user: talkr, assistant: talker, dialogues: 3, world: {topics: [tea]}}',
    ];
    assert.match(
      (await mistakes(minimal, { set }))[0] ?? '',
      /dsft\.data\.user: unknown teacher "talkr"; did you mean "talker"\?$/,
    );
  });

  it('that is not there is told in one line', async () => {
    await assert.rejects(loadRecipe(join(folder, 'none.yaml'), plain), {
      message: `Cannot read recipe "${join(folder, 'none.yaml')}": there is no such file`,
    });
  });
});

describe('A target', () => {
  it('is found by its name, or told with the names that there are', async () => {
    assert.equal((await loadTarget('process', { root: '.', stages })).backend, 'process');
    await assert.rejects(loadTarget('proces', { root: '.', stages }), {
      message: /expected docker, docker-8x80g, .*process.* or a file; did you mean "process"\?$/,
    });
  });

  it('refuses options that its backend does not know', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-target-'));
    const file = join(folder, 'mine.yaml');
    await writeFile(file, 'backend: docker\noptions: { image: x, gpu: all }\nhardware: { processes: 0 }\n');
    await assert.rejects(loadTarget(file, { root: '.', stages }), {
      message: `${file}:2:22: unknown key "options.gpu"; did you mean "gpus"?\n${file}:3:24: hardware.processes: expected more than 0, got 0`,
    });
    // a misspelt backend, a mapping that is missing: neither hides what else is wrong
    await writeFile(file, 'backend: dockr\nhardware: { process: 1 }\n');
    await assert.rejects(loadTarget(file, { root: '.', stages }), {
      message: [
        `${file}:1:1: missing "options.image": expected a text`,
        `${file}:1:10: backend: expected one of ${Object.keys(BACKENDS).join(', ')}, got "dockr"; did you mean "docker"?`,
        `${file}:2:13: unknown key "hardware.process"; did you mean "processes"?`,
      ].join('\n'),
    });
    await writeFile(file, 'backend: podman\noptions: { image: "", mounts: [data] }\n');
    await assert.rejects(loadTarget(file, { root: '.', stages }), {
      message: `${file}:2:19: options.image: expected a text that is not empty, got ""\n${file}:2:32: options.mounts.0: expected an absolute path, got "data"`,
    });
    await rm(folder, { recursive: true });
  });
});
