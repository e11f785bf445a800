import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Hub } from '../../src/hub/hub.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { repoName } from '../../src/model/artifact.ts';
import type { Artifact } from '../../src/model/outcome.ts';
import type { Decision } from '../../src/plan/explain.ts';
import { pinRefs } from '../../src/plan/pin.ts';
import { checkSources } from '../../src/plan/sources.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { aifSpec } from '../../src/stages/aif/spec.ts';
import { minimalRecipe, taughtRecipe } from '../recipe/minimal.ts';
import { artifact, plan } from './planned.ts';

const LFS_POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12345\n`;
const CARD =
  '---\nconfigs:\n- config_name: cats\n  data_files:\n  - {split: train, path: cats.jsonl}\n- config_name: dogs\n  data_files: dogs.jsonl\n---\n';

type Layout = { readonly name: string; readonly files: Readonly<Record<string, string | { readonly base64: string }>> } & {
  readonly config: string | null;
  readonly split: string;
  readonly ours?: { readonly rows?: unknown };
  readonly rows?: unknown;
};
const { layouts } = JSON.parse(await readFile('test/fixtures/layouts.json', 'utf8')) as { readonly layouts: readonly Layout[] };

describe('Before a step runs its datasets', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-sources-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const hub = await openLocalHub(join(folder, 'hub'));

  async function publish(name: string, files: Layout['files']): Promise<string> {
    const repo = { type: 'dataset', name: repoName.parse(`org/${name}`) } as const;
    await hub.createRepo(repo);
    const parent = (await hub.resolve({ ...repo, revision: 'main' })) ?? '';
    const add = Object.entries(files).map(([path, content]) => ({
      path,
      content: typeof content === 'string' ? content : Buffer.from(content.base64, 'base64'),
    }));
    const outcome = await hub.commit({ repo, branch: 'main', parent, message: 'Add', add });
    assert.ok(outcome.ok);
    return `hf://datasets/org/${name}`;
  }

  /** What is asked of the Hub, and what is thrown; all steps run, or all are used again. */
  async function checked(recipe: Recipe, goal: string, { action = 'run', given = {}, at = hub as Hub } = {}): Promise<string> {
    const planned = plan(recipe, [goal], { pins: new Map(), stageInputs: { dsft: artifact('model', 'd'), ...given } });
    const refs = planned.steps.flatMap(({ inputs }) =>
      Object.values(inputs).flatMap((input) => (input.from === 'hub' ? [input.ref] : [])),
    );
    const pins = await pinRefs(
      refs.filter((ref) => ref.startsWith('hf://datasets/org/')),
      hub,
    );
    const decisions = planned.steps.map((step) => ({ step, action }) as Decision);
    try {
      await checkSources(decisions, { ...planned, pins }, at);
      return '';
    } catch (error) {
      assert.equal((error as { exit?: unknown }).exit, 'usage', String(error));
      return (error as Error).message;
    }
  }

  const aif = (spec: object): Recipe => ({ ...minimalRecipe(), aif: aifSpec.parse(spec) });
  const dsft = (dataset: object): Recipe =>
    minimalRecipe((data) => {
      data.dsft = { ...(data.dsft as object), data: { source: 'datasets', datasets: [dataset] } };
    });

  const plain = await publish('plain', { 'train.jsonl': '{}\n', 'test.jsonl': '{}\n' });
  const two = await publish('two', { 'README.md': CARD, 'cats.jsonl': '{}\n', 'dogs.jsonl': '{}\n' });
  const none = await publish('none', { 'README.md': 'Nothing yet.\n', 'photo.png': 'PNG' });

  it('have the splits that it reads; every one that is not there is named beside those that are', async () => {
    assert.equal(await checked(aif({ source: 'pairs', ref: plain, train: 'train', test: 'test' }), 'aif'), '');
    assert.equal(
      await checked(aif({ source: 'pairs', ref: plain }), 'aif'),
      `Cannot take "${plain}" for aif/binarize: cannot find split "train_prefs": expected train, test; cannot find split "test_prefs": expected train, test`,
    );
    assert.match(await checked(dsft({ ref: plain }), 'dsft'), /for dsft\/prepare: cannot find split "train_sft"/);
    assert.match(
      await checked(
        aif({ source: 'ratings', ref: plain, split: 'tran', binarize: { score: 'overall', rejected: 'lowest', testPrompts: 1 } }),
        'aif',
      ),
      /for aif\/binarize: cannot find split "tran"/,
    );
  });

  it('have the config that it reads', async () => {
    const asks = (config: object) => dsft({ ref: two, train: 'train', test: null, ...config });
    assert.equal(await checked(asks({ config: 'dogs' }), 'dsft'), '');
    assert.match(
      await checked(asks({ config: 'birds' }), 'dsft'),
      /cannot find config "birds" of the dataset, expected cats, dogs$/,
    );
    assert.match(await checked(asks({}), 'dsft'), /cannot choose a config of the dataset: it has cats, dogs/);
  });

  it('are all looked at: prompts, benchmarks, pairs that calibrate, material', async () => {
    const recipe = taughtRecipe((spec) => ({
      ...spec,
      prompts: {
        ...spec.prompts,
        sources: [{ ...(spec.prompts.sources[0] ?? assert.fail()), ref: plain, list: [], split: 'prompts' }],
        decontaminate: [{ ref: none }, { ref: two, config: 'cats', split: 'test' }],
      },
      judge: { ...spec.judge, calibration: { ref: plain, split: 'labels' } } as typeof spec.judge,
    }));
    const lines = (await checked(recipe, 'aif')).split('\n');
    assert.equal(lines.length, 4, lines.join('\n'));
    assert.match(lines[0] ?? '', /org\/plain" for aif\/prompts: cannot find split "prompts"/);
    assert.match(lines[1] ?? '', /org\/none" for aif\/prompts: cannot find rows in it, expected Parquet/);
    assert.match(lines[2] ?? '', /org\/two" for aif\/prompts: cannot find split "test" of config "cats": expected train/);
    assert.match(lines[3] ?? '', /org\/plain" for aif\/judge: cannot find split "labels"/);
    const made = taughtRecipe();
    if (made.dsft.data.source !== 'teacher') assert.fail();
    const material = { ref: plain, split: 'texts', column: 'text', share: 1, turns: { min: 1, max: 1 } } as never;
    assert.match(
      await checked({ ...made, dsft: { ...made.dsft, data: { ...made.dsft.data, material } } }, 'dsft'),
      /for dsft\/construct: cannot find split "texts"/,
    );
  });

  it('are files and not pointers to them', async () => {
    const pointer = await publish('pointer', { 'data/train-00000-of-00001.parquet': LFS_POINTER });
    const refusal = /cannot read "data\/train-00000-of-00001.parquet": it is a Git LFS pointer/;
    assert.match(await checked(dsft({ ref: pointer, train: 'train', test: null }), 'dsft'), refusal);
    assert.match(await checked(aif({ source: 'pairs', ref: pointer, train: 'train', test: null }), 'aif'), refusal);
  });

  it('are no matter to a step that is used again', async () => {
    assert.equal(await checked(dsft({ ref: plain }), 'dsft', { action: 'reuse' }), '');
  });

  it('include what the user names as the artifact of a stage', async () => {
    const [[, given] = assert.fail()] = await pinRefs([plain], hub);
    assert.match(
      await checked(minimalRecipe(), 'ddpo', { given: { aif: given as Artifact } }),
      /^Cannot take "hf:\/\/datasets\/org\/plain@[0-9a-f]{40}" for ddpo\/prepare: cannot find split "train_prefs"/,
    );
  });

  it('cost one request for the tree of each, and none where it is known', async () => {
    const asked: string[] = [];
    const counting: Hub = {
      ...hub,
      tree: async (ref) => {
        asked.push('tree');
        return await hub.tree(ref);
      },
      read: async (ref, path) => {
        asked.push(path);
        return await hub.read(ref, path);
      },
    };
    const recipe = dsft({ ref: two, config: 'dogs', train: 'train', test: null });
    for (const _ of [1, 2]) await checked(recipe, 'dsft', { at: counting });
    assert.deepEqual(asked, ['tree', 'README.md']);
  });

  describe('are refused for a job only where the job would refuse them:', () => {
    for (const [index, { name, files, config, split, rows, ours }] of layouts.entries()) {
      if ((ours === undefined ? rows : ours.rows) === undefined) continue;
      it(name, async () => {
        const ref = await publish(`layout-${index}`, files);
        assert.equal(await checked(dsft({ ref, ...(config === null ? {} : { config }), train: split, test: null }), 'dsft'), '');
      });
    }
  });
});
