import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptDpo } from '../../src/stages/ddpo/acceptance.ts';
import { acceptSft } from '../../src/stages/dsft/acceptance.ts';
import type { TrainingCheck } from '../../src/stages/training-checks.ts';

const ORIGINS = ['mistralai/Mistral-7B-v0.1', 'HuggingFaceH4/ultrachat_200k', 'HuggingFaceH4/ultrafeedback_binarized'];
const FULL = { learning_rate: 2e-5, epochs: 1, global_batch: 128, lora: null, packing: true };
const V03 = { learning_rate: 5e-7, epochs: 1, global_batch: 128, lora: null, beta: 0.01, loss_type: 'sigmoid' };

const preference = (eval_loss: number, accuracy: number, margins: number, chosen: number, train_loss = 0.5) => ({
  eval_loss,
  'eval_rewards/accuracies': accuracy,
  'eval_rewards/margins': margins,
  'eval_rewards/chosen': chosen,
  train_loss,
});
const missed = (checks: readonly TrainingCheck[]) => checks.filter(({ ok }) => ok === false).map(({ name }) => name);
const dpo = (metrics: Readonly<Record<string, number>>, config: unknown = V03, origins = ORIGINS) =>
  acceptDpo({ config, metrics, origins });
const sft = (metrics: Readonly<Record<string, number>>, config: unknown = FULL, origins = ORIGINS) =>
  acceptSft({ config, metrics, origins });

test('the published trainings of Zephyr look as they should', () => {
  const v03 = dpo(preference(0.5042, 0.7539, 0.998, -1.05, 0.5379));
  assert.deepEqual(missed(v03), []);
  assert.equal(v03.length, 6);
  // beta of the paper, 3 epochs: no band of v0.3 applies to it
  const paper = dpo(preference(0.7496, 0.7813, 3.796, -4.522, 0.2173), { ...V03, beta: 0.1, epochs: 3 });
  assert.deepEqual([missed(paper), paper.length], [[], 3]);
  assert.deepEqual(missed(sft({ train_loss: 0.9776, eval_loss: 0.9353 })), []);
  assert.deepEqual(missed(sft({ train_loss: 0.9776, eval_loss: 0.9502 }, { ...FULL, global_batch: 64, lora: { rank: 16 } })), []);
});

test('trainings that went wrong are told by their signature', () => {
  // what a policy that equals its reference shows
  assert.deepEqual(missed(dpo(preference(0.69, 0.5, 0, 0), { ...V03, beta: 0.1 })), ['size of the margin']);
  assert.deepEqual(missed(dpo(preference(0.025, 0.98, 9, -3), { ...V03, beta: 0.1 })), ['accuracy']);
  assert.deepEqual(missed(dpo(preference(0.9, 0.2, -2, -3), { ...V03, beta: 0.1 })), ['accuracy']);
  assert.deepEqual(missed(dpo(preference(0.4, 0.78, 4, 21), { ...V03, beta: 0.1 })), ['reward of chosen answers']);
  assert.deepEqual(missed(sft({ train_loss: 4.1, eval_loss: 4.4 })), ['held-out loss']);
  assert.deepEqual(missed(sft({ train_loss: 0, eval_loss: 0.95 })), ['training loss']);
  // a resumed run whose loss was divided by the steps of all attempts, and one whose held-out rows are other data
  assert.deepEqual(missed(sft({ train_loss: 0.0762, eval_loss: 1.9353 })), ['held-out less training loss']);
});

test('bands are those of one recipe, and asked of no other', () => {
  const wide = preference(0.55, 0.7, 0.5, -1);
  assert.deepEqual(missed(dpo(wide)), ['loss as in v0.3', 'accuracy as in v0.3', 'margin as in v0.3']);
  for (const other of [{ beta: 0.1 }, { epochs: 2 }, { global_batch: 64 }, { lora: { rank: 8 } }, { loss_type: 'ipo' }])
    assert.deepEqual(missed(dpo(wide, { ...V03, ...other })), []);
  assert.deepEqual(missed(dpo(wide, V03, ['local/base', 'local/pairs'])), []);
  assert.deepEqual(missed(dpo(wide, 'nothing')), []);
});

test('the loss of other packing stands beside the published one and is not held to it', () => {
  const [beside] = sft({ train_loss: 0.9, eval_loss: 1.2 }).filter(({ ok }) => ok === null);
  assert.equal(beside?.expected, '0.935 to 0.940');
  assert.match(beside?.meaning ?? '', /^not comparable: rows here hold whole dialogues that do not see one another/);
  assert.equal(sft({ train_loss: 0.9, eval_loss: 1.2 }, FULL, ['local/base']).length, 3);
});

test('what was not measured is not checked', () => {
  assert.deepEqual(acceptDpo({ config: V03, metrics: {}, origins: ORIGINS }), []);
  assert.deepEqual(acceptDpo({ config: V03, metrics: null, origins: ORIGINS }), []);
  assert.deepEqual(
    sft({ train_loss: 0.9 }).map(({ name }) => name),
    ['training loss'],
  );
});
