import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { lineageOf } from '../../src/engine/lineage.ts';
import { modelCard } from '../../src/engine/model-card.ts';
import type { Hub } from '../../src/hub/hub.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import type { ArtifactRef, RepoId } from '../../src/model/artifact.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { Step } from '../../src/stages/stage.ts';

const DIGEST = 'd'.repeat(64);
const step = { stage: 'dsft', summary: 'two epochs', output: { type: 'model', name: 'org/chat' } } as Step;

describe('the card of a model', () => {
  let hub: Hub;
  before(async () => {
    hub = await openLocalHub(await mkdtemp(join(tmpdir(), 'zephyr-cards-')));
  });

  async function put(repo: RepoId, files: Readonly<Record<string, string>>): Promise<ArtifactRef> {
    await hub.createRepo(repo);
    const parent = (await hub.resolve({ ...repo, revision: 'main' })) as string;
    const add = Object.entries(files).map(([path, content]) => ({ path, content }));
    const outcome = await hub.commit({ repo, branch: 'main', parent, message: 'test', add });
    assert.ok(outcome.ok);
    return { ...repo, commit: outcome.commit };
  }

  function made(inputs: Readonly<Record<string, ArtifactRef>>, config: object, name: string): Manifest {
    const entries = Object.entries(inputs).map(([key, ref]) => [key, { ...ref, digest: DIGEST }]);
    return {
      ...{ version: 1, stage: 'dsft', step: name, run: 'run-x', fingerprint: DIGEST, ingredients: { config } },
      ...{ inputs: Object.fromEntries(entries), digest: DIGEST, files: [], metrics: {}, versions: {}, costUsd: 0 },
      ...{ attempts: [], zephyr: '0', createdAt: '2026-01-01T00:00:00.000Z' },
    } as Manifest;
  }

  /** A model that learned from a dataset, whose preparation is an artifact between them. */
  async function cardFrom(base: string, data: string, system: 'empty' | 'none' = 'empty') {
    const model = await put({ type: 'model', name: 'other/base' }, { 'README.md': base });
    const rows = await put({ type: 'dataset', name: 'other/rows' }, { 'README.md': data });
    const prepared = made({ data0: rows, tokenizer: model }, { system }, 'prepare');
    const tokens = await put({ type: 'dataset', name: 'org/tokens' }, { 'zephyr.json': JSON.stringify(prepared) });
    const manifest = made({ model, data: tokens }, { learning_rate: 2e-5, trl: {}, lora: null, epochs: 2 }, 'train');
    const card = modelCard({ step, manifest, lineage: await lineageOf(hub, manifest), answers: true });
    return { card, head: parse(card.split('---')[1] as string), model, rows };
  }

  test('inherits a licence on which base and data agree, and names base, data and hyperparameters by ID', async () => {
    const { card, head, model, rows } = await cardFrom('---\nlicense: mit\n---\n', '---\nlicense: mit\n---\n');
    assert.deepEqual(head, {
      ...{ library_name: 'transformers', pipeline_tag: 'text-generation', license: 'mit' },
      ...{ base_model: 'other/base', datasets: ['other/rows'], tags: ['zephyr', 'dsft'] },
    });
    assert.ok(card.includes(`hf://models/other/base@${model.commit}\` | mit |`));
    assert.ok(card.includes(`hf://datasets/other/rows@${rows.commit}\` | mit |`));
    assert.match(card, /\| learning_rate \| 0.00002 \|\n\| epochs \| 2 \|/);
    assert.match(card, /"role": "system", "content": ""/);
  });

  test('names licences that differ, and sets none where the base says none', async () => {
    const mixed = await cardFrom('---\nlicense: apache-2.0\n---\n', '---\nlicense: cc-by-nc-4.0\n---\n', 'none');
    assert.equal(mixed.head.license, 'other');
    assert.equal(mixed.head.license_name, 'apache-2.0-and-cc-by-nc-4.0');
    assert.doesNotMatch(mixed.card, /"role": "system"/);
    const silent = await cardFrom('no head', '---\nlicense: mit\n---\n');
    assert.equal(silent.head.license, undefined);
    assert.match(silent.card, /its card names none/);
  });

  test('names what the Hub does not have', async () => {
    const gone = { type: 'model', name: 'other/gone', commit: 'a'.repeat(40) } as const;
    const lineage = await lineageOf(hub, made({ model: gone }, {}, 'train'));
    assert.deepEqual(lineage, [{ ref: gone, manifest: undefined, licence: undefined }]);
  });
});
