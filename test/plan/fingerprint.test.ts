import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fingerprintStep } from '../../src/plan/fingerprint.ts';
import type { Step } from '../../src/stages/stage.ts';

const training = { globalBatch: 128, microBatch: 'dsft' };
const step: Step = {
  stage: 'dsft',
  name: 'train',
  summary: 'a summary',
  inputs: { base: { from: 'hub', ref: 'hf://models/org/base' }, data: { from: 'step', step: 'prepare' } },
  config: { learning_rate: 2e-5, lora: null, trl: { max_grad_norm: 1 } },
  files: ['dsft.py', 'job.py'],
  output: { type: 'model', name: 'org/mini-dsft' },
  work: { kind: 'job', program: 'dsft', environment: 'train', training, saveSteps: 100 },
};
const inputs = { base: 'b'.repeat(64), data: 'd'.repeat(64) };
const files = { 'dsft.py': '1'.repeat(64), 'job.py': '2'.repeat(64), 'ddpo.py': '3'.repeat(64) };
const of = (changed: Partial<Step>, digests = inputs, texts: Record<string, string> = files, environment = 'torch 2.13.0') =>
  fingerprintStep({ ...step, ...changed }, digests, texts, environment).fingerprint;

describe('A fingerprint', () => {
  it('is the sha256 of a documented record: this one, for ever', () => {
    assert.deepEqual(fingerprintStep(step, inputs, files, 'torch 2.13.0').ingredients, {
      version: 'zephyr-fingerprint/1',
      stage: 'dsft',
      step: 'train',
      inputs,
      config: step.config,
      files: { 'dsft.py': '1'.repeat(64), 'job.py': '2'.repeat(64) },
      environment: 'torch 2.13.0',
    });
    assert.equal(of({}), '756cc599d77ef16377fb89146b867d348ef77f1cd0d66758db9719aa76ebbd98');
  });

  const changes: Record<string, string> = {
    stage: of({ stage: 'ddpo' }),
    step: of({ name: 'merge' }),
    'the content of an input': of({}, { ...inputs, data: 'e'.repeat(64) }),
    'a setting': of({ config: { learning_rate: 3e-5, lora: null, trl: { max_grad_norm: 1 } } }),
    'a field passed through to TRL': of({ config: { learning_rate: 2e-5, lora: null, trl: { max_grad_norm: 2 } } }),
    'a program': of({}, inputs, { ...files, 'dsft.py': '4'.repeat(64) }),
    'a file that the program shares': of({}, inputs, { ...files, 'job.py': '4'.repeat(64) }),
    'the Python packages': of({}, inputs, files, 'torch 2.14.0'),
  };
  for (const [what, changed] of Object.entries(changes)) {
    it(`changes with ${what}`, () => assert.notEqual(changed, of({})));
  }

  const kept: Record<string, string> = {
    'the summary': of({ summary: 'other words' }),
    'the repo that it is published in': of({ output: { type: 'model', name: 'org/other' } }),
    'the checkpoint cadence': of({ work: { kind: 'job', program: 'dsft', environment: 'train', training, saveSteps: 7 } }),
    'where an input comes from': of({
      inputs: { base: { from: 'hub', ref: 'hf://models/org/same@v2' }, data: { from: 'step', step: 'prepare' } },
    }),
    'the order of the settings': of({ config: { trl: { max_grad_norm: 1 }, lora: null, learning_rate: 2e-5 } }),
    'a program that it does not read': of({}, inputs, { ...files, 'ddpo.py': '4'.repeat(64) }),
  };
  for (const [what, same] of Object.entries(kept)) {
    it(`does not change with ${what}`, () => assert.equal(same, of({})));
  }

  it('of an in-process step does not change with the Python packages', () => {
    const task: Partial<Step> = { work: { kind: 'task', task: 'judge' } };
    assert.equal(of(task), of(task, inputs, files, 'torch 2.14.0'));
  });

  it('is refused, as a bug, for a step whose file or input has no digest', () => {
    assert.throws(() => of({ files: ['none.py'] }), /"none\.py"/);
    assert.throws(() => of({ inputs: { other: { from: 'step', step: 'x' } } }), /"other"/);
  });
});
