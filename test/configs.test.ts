import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { jsonSchema } from '../src/commands/schema.ts';
import { checkBatches } from '../src/engine/hardware.ts';
import { readStepFiles } from '../src/plan/fingerprint.ts';
import { stagesIn, stepsOf } from '../src/plan/plan.ts';
import { loadRecipe } from '../src/recipe/load.ts';
import { loadTarget } from '../src/recipe/load-target.ts';
import { toRehearsal, toRehearsalTarget } from '../src/recipe/rehearse.ts';
import { plan } from './plan/planned.ts';
import { STAGE_NAMES, stages } from './rig/stages.ts';

const files = readdirSync('configs', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'));
const targets = files.filter((file) => file.startsWith('targets/'));
const recipes = files.filter((file) => !file.startsWith('targets/'));
const fileDigests = await readStepFiles('scripts/train');
const load = (file: string) => loadRecipe(`configs/${file}`, { stages, set: [], env: {} });

describe('A recipe in configs', () => {
  for (const file of recipes) {
    it(`${file} is planned, with every program and template that its steps name`, async () => {
      assert.ok(plan(await load(file), ['dsft', 'aif', 'ddpo'], { fileDigests }).steps.length >= 5);
    });

    it(`${file} is rehearsed through all five stages`, async () => {
      const { recipe } = toRehearsal(await load(file), stages);
      assert.deepEqual(plan(recipe, STAGE_NAMES, { fileDigests }).stages, STAGE_NAMES);
    });

    it(`${file} divides its batches over every target, rehearsed or not`, async () => {
      for (const name of targets) {
        const target = await loadTarget(`configs/${name}`, { root: '.', stages });
        const whole = await load(file);
        const toy = toRehearsal(whole, stages).recipe;
        const [steps, toySteps] = [whole, toy].map((recipe) => stepsOf(recipe, stages, stagesIn(recipe, stages)));
        checkBatches(steps ?? [], target);
        checkBatches(toySteps ?? [], toRehearsalTarget(target, toySteps ?? []));
        assert.equal(steps?.filter(({ work }) => work.kind === 'job' && work.training !== undefined).length, 2);
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
      assert.deepEqual(await loadTarget(name, { root: '.', stages }), await loadTarget(`configs/${file}`, { root: '.', stages }));
    });
  }
});

describe('A schema in configs', () => {
  for (const name of ['recipe', 'target'] as const) {
    it(`${name}.json is the one that zephyr checks by; if not: zephyr schema ${name} > configs/schema/${name}.json`, () => {
      assert.deepEqual(
        JSON.parse(readFileSync(`configs/schema/${name}.json`, 'utf8')),
        JSON.parse(JSON.stringify(jsonSchema(name, stages))),
      );
    });
  }
});
