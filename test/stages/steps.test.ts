import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { formatRepo } from '../../src/model/artifact.ts';
import { toRehearsal } from '../../src/recipe/rehearse.ts';
import { PRINCIPLES } from '../../src/stages/aif/answers/spec.ts';
import { ASPECTS } from '../../src/stages/aif/judging/spec.ts';
import { PROGRAM_FILES } from '../../src/stages/programs.ts';
import { STAGE_STEPS } from '../../src/stages/registry.ts';
import { STAGE_NAMES, type Step } from '../../src/stages/stage.ts';
import { minimalRecipe, taughtRecipe } from '../recipe/minimal.ts';

const names = (steps: readonly Step[]) => steps.map(({ name }) => name);
const outputs = (steps: readonly Step[]) => steps.map(({ output }) => formatRepo(output));
const rehearsal = toRehearsal(taughtRecipe()).recipe;

describe('The steps of a stage', () => {
  it('are only preparation and training where the data is published', () => {
    const recipe = minimalRecipe();
    assert.deepEqual(names(STAGE_STEPS.dsft(recipe)), ['prepare', 'train']);
    assert.deepEqual(outputs(STAGE_STEPS.dsft(recipe)), ['hf://datasets/local/mini-sft-data', 'hf://models/local/mini-dsft']);
    assert.deepEqual(names(STAGE_STEPS.aif(recipe)), ['binarize']);
    assert.deepEqual(outputs(STAGE_STEPS.ddpo(recipe)), ['hf://datasets/local/mini-dpo-data', 'hf://models/local/mini-ddpo']);
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
    assert.deepEqual(names(STAGE_STEPS.ddpo(taughtRecipe())), ['prepare', 'train', 'merge']);
  });

  it('let model artifacts of the pool answer in jobs of their own, which the generation reads', () => {
    const steps = STAGE_STEPS.aif(taughtRecipe());
    assert.deepEqual(names(steps), ['prompts', 'answers-1', 'answers-2', 'generate', 'judge', 'binarize']);
    assert.deepEqual(steps[1]?.inputs, { model: { from: 'stage', stage: 'dsft' }, prompts: { from: 'step', step: 'prompts' } });
    assert.deepEqual(steps[2]?.inputs.model, { from: 'hub', ref: 'hf://models/org/other' });
    assert.deepEqual(Object.keys(steps[3]?.inputs ?? {}), ['prompts', 'answers-1', 'answers-2']);
    const { pool } = (steps[3]?.config ?? assert.fail()) as { pool: { id: string; input?: string; call?: { model: string } }[] };
    assert.deepEqual(
      pool.map(({ id, input, call }) => [id, input ?? call?.model]),
      [
        ['talk', 'talker-1'],
        ['answers-1', 'answers-1'],
        ['rival', 'rival-1'],
        ['answers-2', 'answers-2'],
      ],
    );
    assert.deepEqual(steps[4]?.files, ['templates/judge-form.md', 'templates/judge-helpfulness.md']);
    assert.equal(formatRepo(steps.at(-1)?.output ?? { type: 'model', name: '' }), 'hf://datasets/local/mini-aif');
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
      for (const stage of STAGE_NAMES) {
        for (const step of STAGE_STEPS[stage](recipe)) {
          for (const input of Object.values(step.inputs)) {
            if (input.from === 'step') assert.ok(seen.has(`${stage}/${input.step}`), `${stage}/${step.name} reads ${input.step}`);
            if (input.from === 'stage')
              assert.ok(seen.has(input.step === undefined ? input.stage : `${input.stage}/${input.step}`));
          }
          assert.ok(!repos.has(formatRepo(step.output)), formatRepo(step.output));
          repos.add(formatRepo(step.output));
          seen.add(`${stage}/${step.name}`);
        }
        seen.add(stage);
      }
    }
  });

  it('tell nothing of where they run: no address, no key, no cadence', () => {
    const text = JSON.stringify(STAGE_NAMES.flatMap((stage) => STAGE_STEPS[stage](taughtRecipe())).map(({ config }) => config));
    for (const word of ['http', 'keyFrom', 'concurrency', 'save', 'micro', 'processes', 'price'])
      assert.ok(!text.includes(word), word);
  });
});

describe('The files of a program', () => {
  it('are all that it imports from its folder, and the chat template where it renders with one', () => {
    for (const [program, files] of Object.entries(PROGRAM_FILES)) {
      const read = new Set<string>();
      const visit = (module: string): void => {
        const file = `${module}.py`;
        if (read.has(file) || !existsSync(`scripts/train/${file}`)) return;
        read.add(file);
        const text = readFileSync(`scripts/train/${file}`, 'utf8');
        for (const [, name] of text.matchAll(/^\s*(?:import|from) (\w+)/gm)) visit(name ?? '');
        if (/\bconfig\.template\b/.test(text)) read.add('templates/zephyr.jinja');
      };
      visit(program);
      assert.deepEqual([...files].sort(), [...read].sort(), program);
    }
  });

  it('and of the tasks are all the templates that there are', () => {
    const everything = taughtRecipe((aif) => ({
      ...aif,
      principles: [...PRINCIPLES],
      judge: { ...aif.judge, aspects: [...ASPECTS], overall: true },
    }));
    const read = new Set(STAGE_NAMES.flatMap((stage) => STAGE_STEPS[stage](everything)).flatMap(({ files }) => files));
    const there = readdirSync('scripts/train/templates').map((name) => `templates/${name}`);
    assert.deepEqual([...read].filter((file) => file.startsWith('templates/')).sort(), there.sort());
  });
});
