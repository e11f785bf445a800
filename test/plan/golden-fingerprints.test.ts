import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { sha256 } from '../../src/base/sha256.ts';
import { fingerprintStep } from '../../src/plan/fingerprint.ts';
import { stepsOf } from '../../src/plan/plan.ts';
import { loadRecipe } from '../../src/recipe/load.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { toRehearsal } from '../../src/recipe/rehearse.ts';
import type { Step } from '../../src/stages/stage.ts';
import { stages as registry, STAGE_NAMES } from '../rig/stages.ts';

/**
 * Every step of the shipped recipes as it was when their fingerprints were frozen. Who changes a line here makes the users
 * of that recipe run the step again. Each digest of a file or an input is that of its name, so that a program may be mended
 * without a change here. ZEPHYR_GOLDEN=write writes the file anew.
 */
const GOLDEN = 'test/fixtures/golden-fingerprints.json';
const RECIPES = ['smollm2-135m', 'zephyr-7b', 'zephyr-7b-published', 'zephyr-7b-qlora'];

const digests = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, sha256(name)]));

function goldenStep(step: Step) {
  const { stage, name, inputs, output, work } = step;
  const files = [...step.files].sort();
  const of = (filesOf: readonly string[]) =>
    fingerprintStep({ ...step, files: filesOf }, digests(Object.keys(inputs)), digests(files), sha256('packages')).fingerprint;
  return { stage, name, inputs, output, kind: work.kind, files, config: of([]), fingerprint: of(files) };
}

const golden = (recipe: Recipe, stages: readonly string[]) => stepsOf(recipe, registry, stages).map(goldenStep);

async function now(): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const name of RECIPES) {
    const recipe = await loadRecipe(`configs/${name}.yaml`, { stages: registry, set: [], env: {} });
    found[name] = golden(recipe, ['dsft', 'aif', 'ddpo']);
    for (const provider of ['openai', 'self-hosted'] as const)
      found[`${name}, rehearsed with ${provider}`] = golden(toRehearsal(recipe, registry, { provider }).recipe, STAGE_NAMES);
  }
  return JSON.parse(JSON.stringify(found)) as Record<string, unknown>;
}

const found = await now();
if (process.env.ZEPHYR_GOLDEN === 'write') writeFileSync(GOLDEN, `${JSON.stringify(found, null, 1)}\n`);
const frozen = JSON.parse(readFileSync(GOLDEN, 'utf8')) as Record<string, unknown>;

describe('The steps of a shipped recipe', () => {
  for (const name of Object.keys(frozen))
    it(`${name}: have the fingerprints that they had when these were frozen`, () => assert.deepEqual(found[name], frozen[name]));

  it('are all of them frozen', () => assert.deepEqual(Object.keys(found), Object.keys(frozen)));
});
