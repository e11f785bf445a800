import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { writeParquet } from '../../../../src/datasets/parquet.ts';
import { openLocalHub } from '../../../../src/hub/local-hub.ts';
import { repoName } from '../../../../src/model/artifact.ts';
import { tryPins } from '../../../../src/plan/pin.ts';
import { hubRefs } from '../../../../src/plan/plan.ts';
import { previewPlan } from '../../../../src/plan/preview.ts';
import type { Recipe } from '../../../../src/recipe/recipe.ts';
import { judge } from '../../../../src/stages/aif/judge/judge.ts';
import { judgeSpec } from '../../../../src/stages/aif/judge/spec.ts';
import { plan } from '../../../plan/planned.ts';
import { taughtRecipe } from '../../../recipe/minimal.ts';
import { STAGE_STEPS, stages } from '../../../rig/stages.ts';
import { openWorkshop } from '../../../rig/task.ts';
import { answered, practicePairs } from './answered.ts';

/** Two prompts with three answers each, a judge that is calibrated first. */
function calibrated(judged: object, ref: string): Recipe {
  const recipe = taughtRecipe((aif) => ({
    ...aif,
    answersPerPrompt: 3,
    judge: judgeSpec.parse({ teachers: ['judge'], calibration: { ref, split: 'labels' }, ...judged }),
  }));
  const { judge: teacher, ...rest } = recipe.teachers;
  assert.ok(teacher !== undefined);
  return { ...recipe, teachers: { ...rest, judge: { ...teacher, model: 'practice-judge' } } };
}

describe('The calibration of a judge in a plan', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-pairs-'));
  after(() => rm(folder, { recursive: true, force: true }));
  const hub = await openLocalHub(join(folder, 'hub'));

  async function publish(name: string, path: string, content: Uint8Array): Promise<string> {
    const repo = { type: 'dataset', name: repoName.parse(`org/${name}`) } as const;
    await hub.createRepo(repo);
    const parent = (await hub.resolve({ ...repo, revision: 'main' })) ?? '';
    const outcome = await hub.commit({ repo, branch: 'main', parent, message: 'Add', add: [{ path, content }] });
    assert.ok(outcome.ok);
    return `hf://datasets/org/${name}`;
  }

  async function priced(recipe: Recipe) {
    const { pins } = await tryPins(hubRefs(recipe, stages, ['aif']), hub);
    const stageInputs = {
      dsft: { ref: { type: 'model', name: 'a/b', commit: 'c'.repeat(40) }, digest: 'd'.repeat(64) } as never,
    };
    return (await previewPlan(plan(recipe, ['aif'], { pins, stageInputs }), hub)).price;
  }

  const pairs = practicePairs(9);
  const lines = Buffer.from(pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''));
  const ref = await publish('labels', 'data/labels.jsonl', lines);

  for (const judged of [
    { mode: 'per_aspect', permutations: 1 },
    { mode: 'per_aspect', permutations: 4, aspects: ['honesty', 'helpfulness'], overall: true },
    { mode: 'joint', permutations: 3 },
    { mode: 'pairwise', permutations: 2 },
    { mode: 'expected', overall: true },
    { aspects: [], overall: true },
  ]) {
    it(`is priced with as many calls as a session asks: ${JSON.stringify(judged)}`, async () => {
      const recipe = calibrated(judged, ref);
      const { rows, warnings } = await priced(recipe);
      assert.deepEqual(warnings, []);
      const step = STAGE_STEPS.aif(recipe).find(({ name }) => name === 'judge') ?? assert.fail();
      const shop = await openWorkshop();
      try {
        const labels = join(shop.folder, 'labels');
        await mkdir(labels);
        await writeFile(join(labels, 'labels.jsonl'), lines);
        const few = await answered(shop.folder, 0);
        await shop.run('judge', judge, step.config, { completions: few.out, calibration: labels });
        const first = shop.answered();
        const { out } = await answered(shop.folder, 2);
        await shop.run('judge', judge, step.config, { completions: out, calibration: labels });
        const calls = new Map(rows.map((row) => [row.step, row.calls]));
        assert.equal(calls.get('aif/calibration'), first);
        // the third and the fourth order of three answers may be the first two again
        if ((judged.permutations ?? 1) <= 2) assert.equal(calls.get('aif/judge'), shop.answered() - first);
      } finally {
        await shop.close();
        await rm(shop.folder, { recursive: true });
      }
    });
  }

  it('counts the rows of Parquet files as well', async () => {
    const file = join(folder, 'labels.parquet');
    await writeParquet(file, { prompt: 'string', chosen: 'string', rejected: 'string' }, pairs);
    const other = await publish('parquet', 'data/labels-00000-of-00001.parquet', await readFile(file));
    const { rows } = await priced(calibrated({ mode: 'joint', permutations: 1 }, other));
    assert.equal(rows.find(({ step }) => step === 'aif/calibration')?.calls, pairs.length);
  });

  it('is refused for a Parquet file that is none', async () => {
    const spoilt = await publish('spoilt', 'data/labels-00000-of-00001.parquet', Buffer.from('PAR1 and no more'));
    await assert.rejects(priced(calibrated({}, spoilt)), {
      exit: 'usage',
      message:
        /^Cannot count the pairs in "data\/labels.*" of hf:\/\/datasets\/org\/spoilt@[0-9a-f]{40}, expected a whole Parquet or JSON Lines file$/,
    });
  });

  it('is a guess, and says so, where the pairs are not on the Hub', async () => {
    const { rows, warnings } = await priced(calibrated({ mode: 'joint', permutations: 1 }, 'hf://datasets/org/none'));
    assert.equal(rows.find(({ step }) => step === 'aif/calibration')?.calls, 200);
    assert.deepEqual(warnings, ['the pairs that calibrate the judge are not on the Hub yet: 200 are assumed']);
  });

  it('of more pairs than people label is told by the size of the files', async () => {
    const large = await publish('large', 'labels.jsonl', Buffer.alloc(33_000_000, 'x'));
    const { warnings } = await priced(calibrated({}, large));
    assert.deepEqual(warnings, ['the judge is calibrated with all pairs of 33 MB, about 10000; 50 to 200 are enough']);
  });
});
