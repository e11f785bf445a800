import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { loadRecipe } from '../src/recipe/load.ts';
import { stages } from './rig/stages.ts';

/**
 * What alignment-handbook v0.3 sets (recipes/zephyr-7b-beta of its tag v0.3.0, and its scripts), by the fields of a recipe;
 * undefined where it knows nothing of the kind. A value of ours that differs is in the README's table, by the name of its field.
 */
const TRAIN = {
  schedule: 'cosine',
  warmup: 0.1,
  epochs: 1,
  maxSteps: undefined,
  weightDecay: 0,
  dtype: 'bfloat16',
  attention: 'flash_attention_2',
  gradientCheckpointing: true,
  saveSteps: 100,
  trl: {},
};
const LORA = {
  dropout: 0.05,
  targets: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  quantization: 'nf4',
};
const COMMON = {
  seed: 42,
  template: 'zephyr',
  system: 'empty',
  bos: 'keep',
  dsft: {
    prepare: {
      maxLength: 2048,
      packing: true,
      lossTokens: 'all',
      truecase: false,
      dropRefusals: false,
      testRows: null,
      maxDropped: undefined,
      decontaminate: 'HumanEval, always',
    },
  },
  ddpo: {
    prepare: {
      maxLength: 1024,
      maxPromptLength: 512,
      fraction: 1,
      testRows: null,
      maxDropped: undefined,
      decontaminate: 'HumanEval, always',
    },
  },
};
const FULL = {
  dsft: { train: { ...TRAIN, learningRate: 2e-5, globalBatch: 128, optimizer: 'adamw_torch' } },
  ddpo: {
    train: {
      ...TRAIN,
      beta: 0.01,
      lossType: 'sigmoid',
      learningRate: 5e-7,
      globalBatch: 128,
      optimizer: 'adamw_torch',
      attention: 'not set',
      reference: 'online',
    },
  },
};
const QLORA = {
  dsft: {
    train: { ...TRAIN, learningRate: 2e-4, globalBatch: 64, optimizer: 'adamw_torch' },
    lora: { ...LORA, r: 16, alpha: 16 },
  },
  ddpo: {
    train: {
      ...TRAIN,
      beta: 0.01,
      lossType: 'sigmoid',
      learningRate: 5e-6,
      globalBatch: 128,
      optimizer: 'paged_adamw_32bit',
      reference: 'online',
    },
    lora: { ...LORA, r: 128, alpha: 128 },
  },
};
const V03 = { 'zephyr-7b': FULL, 'zephyr-7b-published': FULL, 'zephyr-7b-qlora': QLORA };

type Values = Readonly<Record<string, unknown>>;

/** Every value below a section that a program reads, by its path. */
function flat(value: unknown, path: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || path.endsWith('.trl')) return [[path, value]];
  return Object.entries(value).flatMap(([key, each]) => flat(each, path === '' ? key : `${path}.${key}`));
}

function valuesOf(recipe: Values): Map<string, unknown> {
  const { seed, template, system, bos } = recipe;
  const of = (stage: string) => {
    const { prepare, train, lora } = recipe[stage] as Values;
    return { prepare, train, ...(lora === undefined ? {} : { lora }) };
  };
  return new Map(flat({ seed, template, system, bos, dsft: of('dsft'), ddpo: of('ddpo') }, ''));
}

const readme = readFileSync('README.md', 'utf8');
const table = readme.slice(readme.indexOf('### Where they differ from v0.3')).split('\n\n')[1] ?? '';
const firsts = table.split('\n').map((row) => row.split('|')[1] ?? '');
const isNamed = (path: string) => {
  const ends = path.split('.').map((_, index, parts) => `\`${parts.slice(index).join('.')}\``);
  return firsts.some((first) => ends.some((end) => first.includes(end)));
};

describe('The README says where a recipe differs from alignment-handbook v0.3', () => {
  for (const [name, own] of Object.entries(V03))
    it(`${name}: each value is that of v0.3, or its field is in the table`, async () => {
      const ours = valuesOf((await loadRecipe(`configs/${name}.yaml`, { stages, set: [], env: {} })) as Values);
      const theirs = new Map([...flat(COMMON, ''), ...flat(own, '')]);
      for (const [path, value] of ours) {
        assert.ok(theirs.has(path), `${path} is new: say here what v0.3 has in its place`);
        const expected = theirs.get(path);
        if (expected === undefined || JSON.stringify(value) === JSON.stringify(expected)) continue;
        assert.ok(isNamed(path), `${path} is ${JSON.stringify(value)}, v0.3: ${JSON.stringify(expected)}`);
      }
    });

  it('names no field that a recipe does not have', async () => {
    const recipe = await loadRecipe('configs/zephyr-7b-qlora.yaml', { stages, set: [], env: {} });
    const paths = [...valuesOf(recipe as Values).keys()];
    const named = firsts.flatMap((first) => [...first.matchAll(/`([^`]+)`/g)].map(([, name]) => String(name)));
    assert.ok(named.length > 5);
    for (const name of named)
      assert.ok(
        paths.some((path) => path === name || path.endsWith(`.${name}`)),
        name,
      );
  });
});
