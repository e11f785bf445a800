import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { checkRecipe } from '../../../../src/recipe/check.ts';
import type { Recipe } from '../../../../src/recipe/recipe.ts';
import { toRehearsal } from '../../../../src/recipe/rehearse.ts';
import { judge } from '../../../../src/stages/aif/judge/judge.ts';
import { judgeSpec } from '../../../../src/stages/aif/judge/spec.ts';
import { syntheticData } from '../../../../src/stages/setup/synthetic-data.ts';
import { taughtRecipe } from '../../../recipe/minimal.ts';
import { STAGE_STEPS, type StagedRecipe, stages } from '../../../rig/stages.ts';
import { openWorkshop } from '../../../rig/task.ts';
import { answered } from './answered.ts';

const judged = (by: unknown, change: (recipe: StagedRecipe) => StagedRecipe = (recipe) => recipe): StagedRecipe =>
  change(taughtRecipe((aif) => ({ ...aif, judge: judgeSpec.parse(by) })));
const mistakes = (by: unknown) => checkRecipe(judged(by), stages).map(({ message }) => message);
const stepsOf = (recipe: Recipe) => new Map(STAGE_STEPS.aif(recipe).map((step) => [step.name, step]));
const aifOf = ({ aif }: StagedRecipe) => (aif.source === 'teachers' ? aif : assert.fail());

describe('Judges in a recipe', () => {
  it('are teachers unless it says otherwise', () => {
    assert.deepEqual(judgeSpec.parse({ teachers: ['a'] }), judgeSpec.parse({ by: 'teachers', teachers: ['a'] }));
    assert.equal(judgeSpec.safeParse({ teachers: ['a'], aspects: ['honesty', 'honesty'] }).success, false);
    assert.equal(judgeSpec.safeParse({ teachers: ['a'], aspects: [] }).success, false);
    assert.equal(judgeSpec.safeParse({ by: 'reward_model', model: 'hf://datasets/org/x' }).success, false);
  });

  it('see at most 26 answers side by side', () => {
    const crowded = (mode: string) =>
      checkRecipe(
        taughtRecipe((aif) => ({ ...aif, answersPerPrompt: 27, judge: judgeSpec.parse({ teachers: ['judge'], mode }) })),
        stages,
      )
        .map(({ message }) => message)
        .filter((message) => message.startsWith('aif.judge'));
    for (const mode of ['per_aspect', 'joint'])
      assert.deepEqual(crowded(mode), [
        `aif.judge.mode: expected pairwise or expected with more than 26 answers a prompt, got ${mode} with 27`,
      ]);
    for (const mode of ['pairwise', 'expected']) assert.deepEqual(crowded(mode), []);
  });

  it('must exist and differ, the fallback too', () => {
    assert.deepEqual(mistakes({ teachers: ['judge', 'rival'], fallback: 'talk' }), []);
    assert.match(
      mistakes({ teachers: ['judge', 'rivel'] })[0] ?? '',
      /aif.judge.teachers.1: unknown teacher "rivel"; did you mean "rival"/,
    );
    assert.match(mistakes({ teachers: ['judge', 'judge'] })[0] ?? '', /expected different models, got judge-1 twice/);
    assert.match(
      mistakes({ teachers: ['judge'], fallback: 'judge' })[0] ?? '',
      /expected another model than the judges, got judge-1/,
    );
    assert.match(mistakes({ teachers: ['judge'], fallback: 'nobody' })[0] ?? '', /aif.judge.fallback: unknown teacher "nobody"/);
  });

  it('must give what the pairs are made of', () => {
    assert.match(mistakes({ by: 'reward_model', model: 'hf://models/org/rm' })[0] ?? '', /aif.binarize.score: expected reward/);
    assert.match(mistakes({ teachers: ['judge'], mode: 'pairwise' })[0] ?? '', /aif.binarize.score: expected pairwise/);
  });

  it('are asked what the plan says that they will be', () => {
    const recipe = judged({ teachers: ['judge', 'rival'], mode: 'joint', overall: true });
    const calls = stepsOf(recipe).get('judge')?.calls ?? [];
    assert.deepEqual(
      calls.map(({ teacher, purpose, items, callsPerItem }) => [teacher, purpose, items, callsPerItem]),
      ['judge', 'rival'].flatMap((teacher) => [
        [teacher, 'judge joint', 2, 2],
        [teacher, 'judge overall', 2, 4],
      ]),
    );
  });

  it('read the labels of a calibration, and a reward model scores in a job before them', () => {
    const ref = 'hf://datasets/org/labels';
    const { inputs } =
      stepsOf(judged({ teachers: ['judge'], calibration: { ref, minKappa: 0.5 } })).get('judge') ?? assert.fail();
    assert.deepEqual(inputs.calibration, { from: 'hub', ref });
    const steps = stepsOf(judged({ by: 'reward_model', model: 'hf://models/org/rm' }));
    const names = [...steps.keys()];
    assert.deepEqual(names.slice(names.indexOf('generate')), ['generate', 'rewards', 'judge', 'binarize']);
    assert.deepEqual(steps.get('rewards')?.inputs, {
      model: { from: 'hub', ref: 'hf://models/org/rm' },
      completions: { from: 'step', step: 'generate' },
    });
    assert.deepEqual([steps.get('judge')?.calls, steps.get('judge')?.files], [undefined, []]);
  });
});

describe('Judges in a rehearsal', () => {
  it('are the practice judge in the mode of the recipe, whoever and how many they were', () => {
    const recipe = judged({ teachers: ['judge', 'rival'], fallback: 'talk', mode: 'expected', permutations: 3 });
    const { judge: toy } = aifOf(toRehearsal(recipe, stages).recipe);
    assert.deepEqual(toy, judgeSpec.parse({ teachers: ['practice-judge'], mode: 'expected', permutations: 3 }));
  });

  it('stand in for a reward model too, and the pairs are then made of their ratings', () => {
    const recipe = judged({ by: 'reward_model', model: 'hf://models/org/rm' }, (made) => {
      const aif = aifOf(made);
      return { ...made, aif: { ...aif, binarize: { ...aif.binarize, score: 'reward', minMargin: 0.1 } } };
    });
    const { recipe: toy, differences } = toRehearsal(recipe, stages);
    const { judge: practice, binarize } = aifOf(toy);
    assert.deepEqual([practice.by, binarize.score, binarize.minMargin], ['teachers', 'mean_aspects', undefined]);
    assert.deepEqual(checkRecipe(toy, stages), []);
    assert.ok(differences.some(({ path }) => path.startsWith('aif.judge')));
  });

  it('are calibrated with the practice pairs, with which the practice judge agrees', async () => {
    const recipe = judged({
      teachers: ['judge'],
      calibration: { ref: 'hf://datasets/org/labels', minAgreement: 0.7, minKappa: 0.4 },
    });
    const step = stepsOf(toRehearsal(recipe, stages).recipe).get('judge') ?? assert.fail();
    assert.deepEqual(step.inputs.calibration, { from: 'stage', stage: 'setup', step: 'world' });
    const shop = await openWorkshop();
    try {
      const sizes = { dialogues: 0, test_dialogues: 0, prompts: 0, pairs: 0, ratings: 0, exam_prompts: 0 };
      const { out: calibration } = await shop.run('world', syntheticData, { version: 1, seed: 7, ...sizes, test_pairs: 40 });
      const { out: completions } = await answered(shop.folder, 1);
      const { metrics } = await shop.run('judge', judge, step.config, { completions, calibration });
      const { agreement, read } = metrics.calibration as { agreement: { value: number }; read: number };
      assert.deepEqual([read, agreement.value], [40, 1]);
    } finally {
      await shop.close();
      await rm(shop.folder, { recursive: true });
    }
  });
});
