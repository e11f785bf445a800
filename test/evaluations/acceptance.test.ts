import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { acceptanceOf } from '../../src/evaluations/acceptance.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { formatRef } from '../../src/model/artifact.ts';
import { publishFiles, publishModel } from '../rig/evaluations.ts';
import { stages } from '../rig/stages.ts';

const find = async (name: string) => stages.find((stage) => stage.name === name);

test('an artifact is held to all trainings behind it, by what they go back to', async () => {
  const hub = await openLocalHub(await mkdtemp(join(tmpdir(), 'zephyr-hub-')));
  const published = (type: 'model' | 'dataset', name: string) => ({
    ref: { type, name, commit: 'a'.repeat(40) },
    digest: 'b'.repeat(64),
  });
  const chats = published('dataset', 'HuggingFaceH4/ultrachat_200k');
  const data = await publishFiles(
    hub,
    { type: 'dataset', name: 'test/sft-data' },
    ['dsft', 'prepare'],
    { 'rows.jsonl': '{}\n' },
    {
      inputs: { data0: chats },
    },
  );
  const config = { learning_rate: 2e-5, epochs: 1, global_batch: 128, lora: null, packing: true };
  const tuned = await publishModel(hub, 'test/dsft', {
    inputs: { base: published('model', 'mistralai/Mistral-7B-v0.1'), data },
    config,
    metrics: { train_loss: 0.97, eval_loss: 4.4 },
  });
  const aligned = await publishModel(
    hub,
    'test/ddpo',
    {
      inputs: { model: tuned },
      config: { ...config, beta: 0.1 },
      metrics: { train_loss: 0.5, eval_loss: 0.69, 'eval_rewards/accuracies': 0.5, 'eval_rewards/margins': 0 },
    },
    ['ddpo', 'train'],
  );
  const found = await acceptanceOf(hub, aligned.ref, find);
  assert.deepEqual(
    found.map(({ of, stage }) => [of, stage]),
    [
      [formatRef(aligned.ref), 'ddpo'],
      [formatRef(tuned.ref), 'dsft'],
    ],
  );
  const names = (ok: boolean | null) =>
    found.flatMap(({ checks }) => checks.filter((one) => one.ok === ok).map(({ name }) => name));
  assert.deepEqual(names(false), ['size of the margin', 'held-out loss', 'held-out less training loss']);
  assert.deepEqual(names(null), ['held-out loss of public trainings']);
  assert.deepEqual(await acceptanceOf(hub, data.ref, find), []);
});
