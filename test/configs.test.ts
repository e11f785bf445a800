import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readStepFiles } from '../src/plan/read-files.ts';
import { jsonSchema } from '../src/recipe/json-schema.ts';
import { loadRecipe } from '../src/recipe/load.ts';
import { loadTarget } from '../src/recipe/load-target.ts';
import { toRehearsal, toRehearsalTarget } from '../src/recipe/rehearse.ts';
import { accumulation } from '../src/stages/accumulation.ts';
import { STAGE_NAMES } from '../src/stages/stage.ts';
import { plan } from './plan/planned.ts';

const files = readdirSync('configs', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'));
const targets = files.filter((file) => file.startsWith('targets/'));
const recipes = files.filter((file) => !file.startsWith('targets/'));
const fileDigests = await readStepFiles('scripts/train');
const load = (file: string) => loadRecipe(`configs/${file}`, { set: [], env: {} });

describe('A recipe in configs', () => {
  for (const file of recipes) {
    it(`${file} is planned, with every program and template that its steps name`, async () => {
      assert.ok(plan(await load(file), ['dsft', 'aif', 'ddpo'], { fileDigests }).steps.length >= 5);
    });

    it(`${file} is rehearsed through all five stages`, async () => {
      const { recipe } = toRehearsal(await load(file));
      assert.deepEqual(plan(recipe, STAGE_NAMES, { fileDigests }).goal, STAGE_NAMES);
    });

    it(`${file} divides its batches over every target, rehearsed or not`, async () => {
      for (const name of targets) {
        const target = await loadTarget(`configs/${name}`, '.');
        const whole = await load(file);
        const toy = toRehearsal(whole).recipe;
        for (const [recipe, { hardware }] of [
          [whole, target],
          [toy, toRehearsalTarget(target, toy)],
        ] as const) {
          for (const stage of ['dsft', 'ddpo'] as const) {
            assert.ok(
              accumulation(recipe[stage].train.globalBatch, {
                processes: hardware.processes,
                microBatch: hardware.microBatch[stage],
              }) >= 1,
            );
          }
        }
      }
    });

    it(`${file} opens with its schema and the commands that run it, and pins what it reads`, async () => {
      const text = readFileSync(`configs/${file}`, 'utf8');
      assert.match(text, /^# yaml-language-server: \$schema=schema\/recipe\.json\n/);
      assert.ok(text.includes(`zephyr rehearse configs/${file}`) && text.includes(`zephyr run configs/${file}`));
      for (const [ref] of text.matchAll(/hf:\/\/\S+/g)) assert.match(ref, /@[0-9a-f]{40}$/);
    });
  }

  it('is one of at most ten', () => assert.ok(recipes.length > 0 && recipes.length <= 10));
});

describe('A target in configs', () => {
  for (const file of targets) {
    it(`${file} is loaded by its name`, async () => {
      const name = file.replace(/^targets\/|\.yaml$/g, '');
      assert.deepEqual(await loadTarget(name, '.'), await loadTarget(`configs/${file}`, '.'));
    });
  }
});

describe('A schema in configs', () => {
  for (const name of ['recipe', 'target'] as const) {
    it(`${name}.json is the one that zephyr checks by; if not: zephyr schema ${name} > configs/schema/${name}.json`, () => {
      assert.deepEqual(
        JSON.parse(readFileSync(`configs/schema/${name}.json`, 'utf8')),
        JSON.parse(JSON.stringify(jsonSchema(name))),
      );
    });
  }
});
