import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { fingerprintTag } from '../../src/model/fingerprint.ts';
import { explain } from '../../src/plan/explain.ts';
import type { PlannedStep } from '../../src/plan/plan.ts';
import { minimalRecipe } from '../recipe/minimal.ts';
import { plan } from './planned.ts';

describe('What a plan would do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-explain-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const hub = await openLocalHub(join(folder, 'hub'));
  const made = plan(minimalRecipe(), ['dsft']);

  /** Publishes what the step would have made, without making it. */
  async function publish(step: PlannedStep): Promise<void> {
    const { output: repo, fingerprint, ingredients } = step;
    assert.ok(fingerprint !== undefined);
    await hub.createRepo(repo);
    const common = {
      version: 1,
      stage: step.stage,
      step: step.name,
      run: 'run-1',
      fingerprint,
      ingredients,
      digest: '9'.repeat(64),
      zephyr: '0.1.0',
    };
    const rest = {
      inputs: {},
      files: [],
      metrics: {},
      versions: {},
      costUsd: 0,
      attempts: [],
      createdAt: '2026-01-01T00:00:00Z',
    };
    const parent = (await hub.resolve({ ...repo, revision: 'main' })) ?? '';
    const content = JSON.stringify({ ...common, ...rest });
    const outcome = await hub.commit({
      repo,
      branch: 'main',
      parent,
      message: 'Publish',
      add: [{ path: 'zephyr.json', content }],
    });
    assert.ok(outcome.ok);
    await hub.createTag(repo, fingerprintTag(fingerprint), outcome.commit);
  }

  it('is to run everything on an empty Hub, later steps with a fingerprint that is known later', async () => {
    const decisions = await explain(made, hub);
    assert.deepEqual(
      decisions.map(({ action, why }) => [action, why]),
      [
        ['run', 'nothing published yet'],
        ['run', 'its input dsft/prepare will be made first'],
      ],
    );
  });

  it('is to use again what an equal step published, and to know the next fingerprint from it', async () => {
    await publish(made.steps[0] ?? assert.fail());
    const decisions = await explain(made, hub);
    assert.deepEqual(
      decisions.map(({ action, why }) => [action, why]),
      [
        ['reuse', 'an equal step published it'],
        ['run', 'nothing published yet'],
      ],
    );
    assert.match(decisions[1]?.fingerprint ?? '', /^[0-9a-f]{64}$/);
  });

  it('is to run a changed step again, with the setting that changed, old and new', async () => {
    const changed = plan(
      minimalRecipe((data) => Object.assign(data, { seed: 43 })),
      ['dsft'],
    );
    assert.equal((await explain(changed, hub))[0]?.why, 'config.seed: 42 -> 43');
  });

  it('names an input that is not on the Hub, and tells the rest all the same', async () => {
    const unpinned = plan(minimalRecipe(), ['dsft', 'aif'], { pins: new Map() });
    const whys = (await explain(unpinned, hub)).map(({ step, why }) => `${step.stage}/${step.name}: ${why}`);
    assert.deepEqual(whys, [
      'dsft/prepare: its input hf://models/org/base is not on the Hub',
      'dsft/train: its input hf://models/org/base is not on the Hub',
      'aif/binarize: its input hf://datasets/org/pairs is not on the Hub',
    ]);
  });
});
