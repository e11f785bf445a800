import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { publish } from '../../src/engine/publish.ts';
import type { Hub } from '../../src/hub/hub.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import type { RepoId } from '../../src/model/artifact.ts';
import { outputsOf, refuseOthersFiles } from '../../src/plan/outputs.ts';
import { minimalRecipe } from '../recipe/minimal.ts';
import { madeOf } from './made.ts';
import { artifact, plan } from './planned.ts';

const repo: RepoId = { type: 'dataset', name: 'me/shop-sft-data' };
const step = { ...(plan(minimalRecipe(), ['dsft']).steps[0] as ReturnType<typeof plan>['steps'][number]), output: repo };

describe('Repos to publish in', () => {
  let hub: Hub;
  const holds = async () => (await outputsOf([step], hub)).map((output) => output.holds);
  const add = async (path: string) => {
    const parent = await hub.resolve({ ...repo, revision: 'main' });
    await hub.commit({
      repo,
      branch: 'main',
      parent: parent as string,
      message: 'by hand',
      add: [{ path, content: 'of the user\n' }],
    });
  };
  const engine = () => ({
    hub,
    emit: () => {},
    signal: new AbortController().signal,
    now: () => new Date(),
    version: '0.0.0',
  });
  const publishStep = async () => await publish(engine(), await madeOf(step));

  beforeEach(async () => {
    hub = await openLocalHub(join(await mkdtemp(join(tmpdir(), 'zephyr-outputs-')), 'hub'));
  });

  it('are new while they are not there, or nothing is in them', async () => {
    assert.deepEqual(await holds(), ['nothing']);
    await hub.createRepo(repo);
    assert.deepEqual(await holds(), ['nothing']);
  });

  it('may hold what zephyr published before, which a further commit replaces', async () => {
    await publishStep();
    assert.deepEqual(await holds(), ['artifact']);
    refuseOthersFiles(await outputsOf([step], hub), hub);
    await publishStep();
  });

  for (const path of ['train.jsonl', 'README.md', 'zephyr.json', 'deep/er/file.txt']) {
    it(`are refused with "${path}" of the user in them, before a run and when it publishes`, async () => {
      await hub.createRepo(repo);
      await add(path);
      const refusal = { exit: 'usage', message: new RegExp(`me/shop-sft-data.* did not make \\(${path}\\)$`) };
      assert.throws(() => refuseOthersFiles([{ repo, holds: 'other files', others: [path] }], hub), refusal);
      assert.deepEqual(await holds(), ['other files']);
      await assert.rejects(publishStep(), refusal);
      const head = (await hub.resolve({ ...repo, revision: 'main' })) as string;
      assert.equal(Buffer.from((await hub.read({ ...repo, commit: head }, path)) ?? []).toString(), 'of the user\n');
    });
  }

  it('are refused where the user added a file to an artifact, but not for a card that was edited', async () => {
    await publishStep();
    await add('README.md');
    assert.deepEqual(await holds(), ['artifact']);
    await add('model.gguf');
    await assert.rejects(publishStep(), { exit: 'usage', message: /did not make \(model\.gguf\)$/ });
  });
});

describe('A plan that reads what it publishes', () => {
  it('is refused, whichever way it comes in and however the name is written', () => {
    const own = (type: 'model' | 'dataset', name: string) => ({
      ...artifact(type, 'a'),
      ref: { ...artifact(type, 'a').ref, name },
    });
    const recipe = minimalRecipe();
    const name = (suffix: string) => `${recipe.namespace}/${recipe.name}-${suffix}`;
    const refused = (made: () => unknown) => assert.throws(made, { exit: 'usage', message: /which the recipe reads/ });
    refused(() => plan(recipe, ['dsft'], { pins: new Map([['data', own('dataset', name('sft-data'))]]) }));
    refused(() => plan(recipe, ['dsft'], { pins: new Map([['data', own('dataset', name('SFT-data'))]]) }));
    refused(() => plan(recipe, ['dsft'], { pins: new Map([['base', own('model', name('dsft'))]]) }));
    const stageInputs = { dsft: own('model', name('ddpo')), aif: artifact('dataset', 'b') };
    refused(() => plan(recipe, ['ddpo'], { stageInputs }));
    plan(recipe, ['ddpo'], { stageInputs: { ...stageInputs, dsft: own('model', name('dsft')) } });
  });
});
