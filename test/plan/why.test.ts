import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Ingredients } from '../../src/model/fingerprint.ts';
import { diffIngredients, diffRecords, formatDifference } from '../../src/plan/why.ts';

const old: Ingredients = {
  version: 'zephyr-fingerprint/1',
  stage: 'dsft',
  step: 'train',
  inputs: { base: 'a', data: 'b' },
  config: { learning_rate: 2e-5, sources: [{ input: 'data0', fraction: 1 }] },
  files: { 'dsft.py': 'c' },
  environment: 'd',
};

describe('Why a step runs again', () => {
  it('is the first ingredient that differs, deep into the settings, old and new', () => {
    assert.deepEqual(
      diffIngredients(old, { ...old, config: { learning_rate: 2e-5, sources: [{ input: 'data0', fraction: 0.5 }] } }),
      {
        path: 'config.sources.0.fraction',
        old: 1,
        new: 0.5,
      },
    );
    assert.deepEqual(diffIngredients(old, { ...old, files: { 'dsft.py': 'e' } }), { path: 'files.dsft.py', old: 'c', new: 'e' });
  });

  it("tells the user's own settings before data, programs and packages", () => {
    const changed: Ingredients = {
      ...old,
      config: { learning_rate: 1 },
      inputs: { base: 'x', data: 'y' },
      files: {},
      environment: 'z',
    };
    assert.equal(diffIngredients(old, changed)?.path, 'config.learning_rate');
    assert.equal(diffIngredients(old, { ...changed, config: old.config })?.path, 'inputs.base');
    assert.equal(diffIngredients(old, { ...changed, config: old.config, inputs: old.inputs })?.path, 'files.dsft.py');
  });

  it('tells what is there on one side only', () => {
    const { environment: _, ...without } = old;
    assert.equal(formatDifference(diffIngredients(old, without) ?? assert.fail()), 'environment: "d" -> nothing');
    assert.equal(formatDifference(diffIngredients({}, old) ?? assert.fail()), 'version: nothing -> "zephyr-fingerprint/1"');
    assert.equal(diffIngredients(undefined, old)?.path, '');
  });

  it('is nothing for equal records, and something for any others', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        assert.equal(diffRecords(a, structuredClone(a)), undefined);
        assert.equal(diffRecords(a, b) === undefined, isDeepEqual(a, b));
      }),
    );
  });
});

function isDeepEqual(a: unknown, b: unknown): boolean {
  try {
    assert.deepStrictEqual(a, b);
    return true;
  } catch {
    return false;
  }
}
