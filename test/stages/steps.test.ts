import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ASPECTS } from '../../src/judging/question.ts';
import { formatRepo } from '../../src/model/artifact.ts';
import { toRehearsal } from '../../src/recipe/rehearse.ts';
import { PRINCIPLES } from '../../src/stages/aif/answers/spec.ts';
import { judgeSpec } from '../../src/stages/aif/judge/spec.ts';
import { promptsSpec } from '../../src/stages/aif/prompts/spec.ts';
import type { Step } from '../../src/stages/stage.ts';
import { minimalRecipe, taughtRecipe } from '../recipe/minimal.ts';
import { everyStep, STAGE_STEPS, stages } from '../rig/stages.ts';

const names = (steps: readonly Step[]) => steps.map(({ name }) => name);
const outputs = (steps: readonly Step[]) => steps.map(({ output }) => formatRepo(output));
const rehearsal = toRehearsal(taughtRecipe(), stages).recipe;

describe('The steps of a stage', () => {
  it('are only preparation and training where the data is published', () => {
    const recipe = minimalRecipe();
    assert.deepEqual(names(STAGE_STEPS.dsft(recipe)), ['prepare', 'train']);
    assert.deepEqual(outputs(STAGE_STEPS.dsft(recipe)), ['hf://datasets/local/mini-sft-data', 'hf://models/local/mini-dsft']);
    assert.deepEqual(names(STAGE_STEPS.aif(recipe)), ['binarize']);
    assert.deepEqual(names(STAGE_STEPS.ddpo(recipe)), ['prepare', 'reference', 'train']);
    assert.deepEqual(outputs(STAGE_STEPS.ddpo(recipe)), [
      'hf://datasets/local/mini-dpo-data',
      'hf://datasets/local/mini-dpo-reference',
      'hf://models/local/mini-ddpo',
    ]);
    assert.deepEqual(STAGE_STEPS.dsft(recipe)[0]?.inputs, {
      tokenizer: { from: 'hub', ref: 'hf://models/org/base' },
      data0: { from: 'hub', ref: 'hf://datasets/org/dialogues@v1' },
    });
  });

  it('begin with construction where a teacher makes the dialogues, and end with a merge after LoRA', () => {
    const steps = STAGE_STEPS.dsft(taughtRecipe());
    assert.deepEqual(names(steps), ['construct', 'prepare', 'train', 'merge']);
    assert.deepEqual(outputs(steps), [
      'hf://datasets/local/mini-dialogues',
      'hf://datasets/local/mini-sft-data',
      'hf://models/local/mini-dsft-adapter',
      'hf://models/local/mini-dsft',
    ]);
    assert.deepEqual(names(STAGE_STEPS.ddpo(taughtRecipe())), ['prepare', 'reference', 'train', 'merge']);
  });

  it('name for a call what its server takes, and nothing else changes for a teacher that takes all', () => {
    const recipe = taughtRecipe();
    const omitting = (omit: readonly ('temperature' | 'top_p' | 'response_format')[]) => {
      const { judge, ...others } = recipe.teachers;
      const steps = STAGE_STEPS.aif({
        ...recipe,
        teachers: { ...others, judge: { ...judge, omit } as NonNullable<typeof judge> },
      });
      const config = steps.find(({ name }) => name === 'judge')?.config as { judges: object[] };
      return config.judges[0];
    };
    const call = { teacher: 'judge', model: 'judge-1', temperature: 0, top_p: 1, max_tokens: 1024 };
    assert.deepEqual(omitting([]), call);
    const { temperature: _, ...without } = call;
    assert.deepEqual(omitting(['temperature']), without);
    assert.deepEqual(omitting(['temperature', 'response_format']), { ...without, structured: false });
  });

  it('let model artifacts of the pool answer, in jobs of their own, what was drawn for them', () => {
    const steps = new Map(STAGE_STEPS.aif(taughtRecipe()).map((step) => [step.name, step]));
    assert.deepEqual([...steps.keys()], ['prompts', 'draw', 'answers-1', 'answers-2', 'generate', 'judge', 'binarize']);
    const step = (name: string) => steps.get(name) ?? assert.fail(name);
    const [one, two, generate] = [step('answers-1'), step('answers-2'), step('generate')];
    assert.deepEqual(one.inputs, { model: { from: 'stage', stage: 'dsft' }, prompts: { from: 'step', step: 'draw' } });
    assert.deepEqual(two.inputs.model, { from: 'hub', ref: 'hf://models/org/other' });
    assert.equal((two.config as { prompts_file: string }).prompts_file, 'answers-2.jsonl');
    assert.deepEqual(Object.keys(generate.inputs), ['prompts', 'answers-1', 'answers-2']);
    assert.equal(generate.prefetch, 'judge');
    const { pool } = generate.config as { pool: { id: string; model?: string; call?: { model: string } }[] };
    assert.deepEqual(
      pool.map(({ id, model, call }) => [id, model ?? call?.model]),
      [
        ['talk', 'talker-1'],
        ['answers-1', 'local/mini-dsft'],
        ['rival', 'rival-1'],
        ['answers-2', 'org/other'],
      ],
    );
    assert.ok(step('judge').files.includes('templates/judge-helpfulness.md'));
    const last = [...steps.values()].at(-1)?.output;
    assert.equal(formatRepo(last ?? { type: 'model', name: '' }), 'hf://datasets/local/mini-aif');
  });

  it('forecast how often each member of the pool will be asked, by its share or its weight', () => {
    const forecast = (weight: number) => {
      const recipe = taughtRecipe((aif) => ({
        ...aif,
        pool: aif.pool.map((member) => ({
          ...member,
          ...(member.model === 'dsft' ? { share: 1 } : {}),
          ...(member.teacher === 'talk' ? { weight } : {}),
        })),
        answersPerPrompt: 2,
      }));
      const calls = STAGE_STEPS.aif(recipe).find(({ name }) => name === 'generate')?.calls ?? [];
      return calls.map(({ teacher, items, callsPerItem }) => [teacher, items, Math.round(callsPerItem * 10) / 10]);
    };
    assert.deepEqual(forecast(1), [
      ['talk', 2, 0.3],
      ['rival', 2, 0.3],
    ]);
    assert.deepEqual(forecast(8), [
      ['talk', 2, 0.8],
      ['rival', 2, 0.1],
    ]);
  });

  it('forecast prompts that the recipe lists by their length, all others by a guess', () => {
    const input = (sources: readonly object[], more: object = {}) => {
      const prompts = promptsSpec.parse({ sources, ...more });
      const recipe = taughtRecipe((aif) => ({ ...aif, prompts, principles: [] }));
      const calls = STAGE_STEPS.aif(recipe).flatMap((step) => step.calls ?? []);
      return ['answers', 'judge helpfulness'].map((name) => calls.find(({ purpose }) => purpose === name)?.inputTokens ?? 0);
    };
    const [answer = 0, judgement = 0] = input([{ list: ['Say hi.', { prompt: 'Hello'.repeat(400) }] }]);
    assert.equal(answer, (2 + 500) / 2);
    const ref = { ref: 'hf://datasets/org/prompts' };
    const [guess = 0, guessed = 0] = input([ref]);
    assert.equal(guess - answer, guessed - judgement);
    // half of them read, half not
    assert.equal(input([{ list: ['Say hi.', 'Say no.'] }, { ...ref, rows: 2 }])[0], (2 + guess) / 2);
    assert.deepEqual(input([{ list: ['Say hi.'] }, ref]), [guess, guessed]);
    // too long to be asked
    assert.equal(input([{ list: ['Say hi.', 'Hello'.repeat(400)] }], { maxCharacters: 100 })[0], 2);
  });

  it('render and answer alike: whatever has a template begins its texts as the recipe says', () => {
    for (const bos of ['keep', 'none'] as const) {
      const configs = everyStep({ ...rehearsal, bos }).map(({ config }) => config as Readonly<Record<string, unknown>>);
      const rendering = configs.filter((config) => config.template !== undefined && config.vocab_size === undefined);
      assert.ok(rendering.length >= 7);
      for (const config of rendering) assert.equal(config.bos, bos);
    }
  });

  it('keep a benchmark out of dialogues and of pairs, but not of practice data', () => {
    const decontaminate = 'hf://datasets/org/benchmark';
    const recipe = minimalRecipe((data) => {
      Object.assign(data.dsft as object, { prepare: { decontaminate } });
      Object.assign(data.ddpo as object, { prepare: { decontaminate } });
    });
    const prepares = (of: typeof recipe) => everyStep(of).filter(({ name }) => name === 'prepare');
    assert.equal(prepares(recipe).length, 2);
    for (const { inputs, reads } of prepares(recipe)) {
      assert.deepEqual(inputs.decontaminate, { from: 'hub', ref: decontaminate });
      assert.deepEqual(reads?.at(-1), { input: 'decontaminate', splits: 'all' });
    }
    for (const step of prepares(toRehearsal(recipe, stages).recipe)) assert.equal(step.inputs.decontaminate, undefined);
  });

  it('of feedback all heed its budget where they pay', () => {
    const steps = STAGE_STEPS.aif(taughtRecipe((aif) => ({ ...aif, budgetUsd: 5 })));
    assert.deepEqual(
      steps.map(({ name, budgetUsd }) => [name, budgetUsd]).filter(([, budget]) => budget !== undefined),
      [
        ['generate', 5],
        ['judge', 5],
      ],
    );
  });

  it('have a strong and a weak model and no judge where the feedback is their difference', () => {
    const recipe = minimalRecipe((data) => {
      data.teachers = { big: { provider: 'openai', model: 'big-1' } };
      data.aif = {
        source: 'delta',
        prompts: { sources: [{ list: ['a'] }] },
        strong: { teacher: 'big' },
        weak: { model: 'dsft' },
      };
    });
    const steps = STAGE_STEPS.aif(recipe);
    assert.deepEqual(names(steps), ['prompts', 'draw', 'answers-1', 'generate', 'binarize']);
    const last = steps.at(-1) ?? assert.fail();
    assert.deepEqual(last.work, { kind: 'task', task: 'delta' });
    assert.equal(formatRepo(last.output), 'hf://datasets/local/mini-aif');
    assert.equal((last.config as { weak: string }).weak, 'answers-1');
  });

  it('of a rehearsal open with the practice data and the base model, and close with the exam', () => {
    assert.deepEqual(names(STAGE_STEPS.setup(rehearsal)), ['world', 'base']);
    assert.deepEqual(names(STAGE_STEPS.exam(rehearsal)), ['answers-base', 'answers-dsft', 'answers-ddpo', 'score']);
    assert.deepEqual(STAGE_STEPS.setup(taughtRecipe()), []);
  });

  it('publish in a repo of their own each, and read only what came before', () => {
    for (const recipe of [minimalRecipe(), taughtRecipe(), rehearsal]) {
      const seen = new Set<string>();
      const repos = new Set<string>();
      for (const stage of stages) {
        const steps = recipe[stage.name] === undefined ? [] : stage.steps(recipe);
        for (const step of steps) {
          for (const input of Object.values(step.inputs)) {
            if (input.from === 'step') assert.ok(seen.has(`${step.stage}/${input.step}`), `${step.name} reads ${input.step}`);
            if (input.from === 'stage')
              assert.ok(seen.has(input.step === undefined ? input.stage : `${input.stage}/${input.step}`));
          }
          assert.ok(!repos.has(formatRepo(step.output)), formatRepo(step.output));
          repos.add(formatRepo(step.output));
          seen.add(`${step.stage}/${step.name}`);
        }
        seen.add(stage.name);
        if (steps.length > 0) assert.equal(steps.at(-1)?.output.type, stage.artifact, 'a stage publishes what it says');
      }
    }
  });

  it('that train name a micro batch of their own stage, and no two stages share a key or a task', () => {
    for (const { microBatches = {}, steps, name } of stages)
      for (const { work } of rehearsal[name] === undefined ? [] : steps(rehearsal))
        if (work.kind === 'job' && work.training !== undefined) assert.ok(work.training.microBatch in microBatches, name);
    for (const keys of [
      stages.flatMap((stage) => Object.keys(stage.microBatches ?? {})),
      stages.flatMap((stage) => Object.keys(stage.tasks)),
    ])
      assert.equal(new Set(keys).size, keys.length, keys.join(' '));
  });

  it('tell nothing of where they run: no address, no key, no cadence', () => {
    const text = JSON.stringify(everyStep(taughtRecipe()).map(({ config }) => config));
    for (const word of ['http', 'keyFrom', 'concurrency', 'save', 'micro', 'processes', 'price'])
      assert.ok(!text.includes(word), word);
  });
});

describe('The files of the tasks', () => {
  it('are all the templates that there are', () => {
    const taught = (['per_aspect', 'joint', 'pairwise', 'expected'] as const).map((mode) =>
      taughtRecipe((aif) => ({
        ...aif,
        principles: { default: Object.fromEntries(PRINCIPLES.map((name) => [name, 1])) },
        judge: judgeSpec.parse({ teachers: ['judge'], mode, aspects: [...ASPECTS], overall: mode !== 'pairwise' }),
      })),
    );
    const spoken = minimalRecipe((data) => {
      data.teachers = { talk: { provider: 'openai', model: 'talker-1' } };
      const [world, writing, material] = [{ topics: ['tea'], subtopics: 2 }, {}, { ref: 'hf://datasets/org/texts' }];
      const kinds = { world, writing, material, dialogues: 9, source: 'teacher', user: 'talk', assistant: 'talk' };
      data.dsft = { ...(data.dsft as object), data: kinds };
    });
    const steps = [...taught, spoken].flatMap((recipe) => everyStep(recipe));
    const read = new Set(steps.flatMap(({ files }) => files));
    const there = readdirSync('scripts/train/templates').map((name) => `templates/${name}`);
    assert.deepEqual([...read].filter((file) => file.startsWith('templates/')).sort(), there.sort());
  });
});
