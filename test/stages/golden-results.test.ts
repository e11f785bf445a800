import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { canonicalJson } from '../../src/base/canonical-json.ts';
import { sha256 } from '../../src/base/sha256.ts';
import { readRows } from '../../src/datasets/rows.ts';
import type { Artifact } from '../../src/model/outcome.ts';
import { stepsOf } from '../../src/plan/plan.ts';
import { answer, drawFor, PERSONAS } from '../../src/practice/personas.ts';
import { makeQuestionBank, recognise } from '../../src/practice/question-bank.ts';
import { toRehearsal } from '../../src/recipe/rehearse.ts';
import { COMPLETIONS_FILE } from '../../src/stages/aif/tables.ts';
import { DATA } from '../../src/stages/eval/alpaca-eval/config.ts';
import { DATA as ARENA } from '../../src/stages/eval/arena-hard/config.ts';
import type { Step } from '../../src/stages/stage.ts';
import { minimalRecipe } from '../recipe/minimal.ts';
import { folderWith, questions } from '../rig/answering.ts';
import { arenaFolder, pairsOf, questionsOfTwoTurns, scoredFolder } from '../rig/judged-rows.ts';
import { stages as registry, type StagedRecipe, tasks } from '../rig/stages.ts';
import { digests, openWorkshop } from '../rig/task.ts';

/**
 * What each task makes of fixed inputs, its fingerprint's ingredients beside it. An artifact that is published already is
 * taken for what the task would make now, so code that makes other bytes of the same ingredients must count `config.version`
 * up: then the ingredients differ, and ZEPHYR_GOLDEN=write freezes the new bytes. It never overwrites an entry whose
 * ingredients are the same. Only where the practice teacher itself says something else may such an entry be deleted by hand.
 */
const GOLDEN = 'test/fixtures/golden-results.json';

interface Frozen {
  readonly task: string;
  /** sha256 of config, inputs and the texts that the step reads */
  readonly ingredients: string;
  /** sha256 of each file that the task wrote, by path */
  readonly files: Readonly<Record<string, string>>;
}

const shop = await openWorkshop();
after(async () => {
  await shop.close();
  await rm(shop.folder, { recursive: true });
});

const list = questions.filter((_, n) => n % 97 === 0).slice(0, 8);
const bank = makeQuestionBank(7);
const material = await folderWith(shop, { 'train.jsonl': list.map((text) => ({ text: `${text} It is asked often.` })) });
const RULED = 'hf://datasets/org/ruled';
const rules = { instruction_id_list: ['made:rule'], kwargs: [{ word: 'so', times: null }] };
const ruled = await folderWith(shop, { 'train.jsonl': list.map((prompt, key) => ({ key, prompt, ...rules })) });
const instructions = await folderWith(shop, {});
await writeFile(
  join(instructions, 'alpaca_eval.json'),
  JSON.stringify(list.map((instruction) => ({ instruction, dataset: 'made' }))),
);

/** A recipe whose teachers are practice models of the same name. */
const taught = (aif: object, more: object = {}) =>
  minimalRecipe((data) => {
    const practice = [...PERSONAS, 'mixed', 'user', 'judge'];
    data.teachers = Object.fromEntries(practice.map((id) => [id, { provider: 'practice', model: `practice-${id}` }]));
    data.seed = 7;
    Object.assign(data, { aif, ...more });
  });
const feedback = (judge: object, score = 'mean_aspects') =>
  taught({
    source: 'teachers',
    prompts: { sources: [{ list }] },
    pool: [...['direct', 'rambling', 'evasive', 'careless'].map((teacher) => ({ teacher })), { model: 'dsft' }],
    principles: ['honesty', 'helpfulness'],
    answer: { maxTokens: 64 },
    judge,
    binarize: { score, minMargin: 0, minChosen: 0, testPrompts: 2 },
  });
const judgedBy = (more: object, score?: string) => feedback({ teachers: ['judge'], ...more }, score);
/** A rehearsal with little practice data. */
function rehearsed(recipe: StagedRecipe): StagedRecipe {
  const { setup, exam, ...rest } = toRehearsal(recipe, registry).recipe;
  assert.ok(setup !== undefined && exam !== undefined);
  const few = { dialogues: 6, testDialogues: 2, prompts: 6, pairs: 12, testPairs: 3, ratings: 60, examPrompts: 20 };
  return { ...rest, setup: { ...setup, world: { ...setup.world, ...few } }, exam: { ...exam, bootstrap: 200 } };
}
const data = {
  source: 'teacher',
  user: 'user',
  assistant: 'mixed',
  dialogues: 12,
  testDialogues: 2,
  temperature: 0,
  maxTokens: 256,
};
const kinds = {
  world: { topics: bank.world.people.map((name) => `The life of ${name}`), subtopics: 2, questions: 3 },
  writing: { types: ['poems', 'emails'], instructions: 4 },
  material: { ref: 'hf://datasets/org/texts', texts: 4, instructions: 2 },
};
const train = { learningRate: 1e-4, epochs: 1, globalBatch: 8 };
const pairs = { source: 'pairs', ref: 'hf://datasets/org/pairs' };

/** Folders that stand for datasets of the Hub. */
const FROM_HUB: Readonly<Record<string, string>> = {
  [ARENA]: await arenaFolder(shop, list),
  [DATA]: instructions,
  [RULED]: ruled,
};

const SCENARIOS: Readonly<Record<string, { readonly recipe: StagedRecipe; readonly stages: readonly string[] }>> = {
  dialogues: { recipe: taught(pairs, { dsft: { data: { ...data, ...kinds }, train } }), stages: ['dsft'] },
  'judged per aspect': { recipe: judgedBy({ overall: true }), stages: ['aif'] },
  'judged jointly': { recipe: judgedBy({ mode: 'joint' }), stages: ['aif'] },
  'judged in pairs': { recipe: judgedBy({ mode: 'pairwise' }, 'pairwise'), stages: ['aif'] },
  'judged by expectation': { recipe: judgedBy({ mode: 'expected' }, 'expected'), stages: ['aif'] },
  'judged by a reward model': {
    recipe: feedback({ by: 'reward_model', model: 'hf://models/org/reward' }, 'reward'),
    stages: ['aif'],
  },
  'strong and weak': {
    recipe: taught({
      source: 'delta',
      prompts: { sources: [{ list }] },
      strong: { teacher: 'direct' },
      weak: { model: 'dsft' },
      testPrompts: 1,
    }),
    stages: ['aif'],
  },
  'published pairs, rehearsed': { recipe: rehearsed(minimalRecipe()), stages: ['setup', 'aif', 'exam'] },
  'a model by IFBench': {
    recipe: minimalRecipe((recipe) => Object.assign(recipe, { eval: { parts: ['ifbench'], ifbench: { data: RULED } } })),
    stages: ['eval'],
  },
  'refusals of a model': {
    recipe: minimalRecipe((recipe) => Object.assign(recipe, { eval: { parts: ['refusals'] } })),
    stages: ['eval'],
  },
  'a model by MT-Bench': {
    recipe: minimalRecipe((recipe) => {
      const teachers = { judge: { provider: 'practice', model: 'practice-judge' } };
      Object.assign(recipe, { teachers, eval: { parts: ['mt-bench'], judges: ['judge'] } });
    }),
    stages: ['eval'],
  },
  'a model by AlpacaEval': {
    recipe: minimalRecipe((recipe) => {
      const teachers = { judge: { provider: 'practice', model: 'practice-judge' } };
      Object.assign(recipe, { teachers, eval: { parts: ['alpaca-eval'], judges: ['judge'] } });
    }),
    stages: ['eval'],
  },
  'a model by Arena-Hard': {
    recipe: minimalRecipe((recipe) => {
      const teachers = { judge: { provider: 'practice', model: 'practice-judge' } };
      Object.assign(recipe, { teachers, eval: { parts: ['arena-hard'], judges: ['judge'] } });
    }),
    stages: ['eval'],
  },
  'published ratings, rehearsed': {
    recipe: rehearsed(
      minimalRecipe((recipe) =>
        Object.assign(recipe, {
          aif: {
            source: 'ratings',
            ref: 'hf://datasets/org/x',
            binarize: { score: 'overall', rejected: 'random_lower', testPrompts: 2 },
          },
        }),
      ),
    ),
    stages: ['setup', 'aif'],
  },
};

/** A folder as the job of this step would leave it, with the words of the practice teacher. */
async function asJob({ stage, work, config, inputs: wanted }: Step, inputs: Readonly<Record<string, string>>): Promise<string> {
  const lines: object[] = [];
  if (work.kind === 'job' && work.program === 'reward') {
    for await (const { completion_id, text } of readRows(join(inputs.completions ?? '', COMPLETIONS_FILE)))
      lines.push({ completion_id, reward: String(text).length / 8, tokens: String(text).split(' ').length });
    return folderWith(shop, { 'rewards.jsonl': lines });
  }
  if (work.kind === 'job' && work.program === 'alpaca_requests')
    return folderWith(shop, { 'requests.jsonl': await pairsOf(inputs.prompts ?? '') });
  if (work.kind === 'job' && (work.program === 'alpaca_results' || work.program === 'ifbench_score')) return scoredFolder(shop);
  if (work.kind !== 'job' || work.program !== 'generate') return folderWith(shop, {});
  const file = (config as { readonly prompts_file?: string }).prompts_file ?? 'prompts.jsonl';
  const model = JSON.stringify(wanted.model);
  for await (const { prompt_id, messages, followups } of readRows(join(inputs.prompts ?? '', file))) {
    if (stage === 'eval') {
      const text = lines.length % 2 === 0 ? 'I cannot help with that.' : 'Here is how.';
      const turns = Array.isArray(followups) ? [{ turn: 1 }, { turn: 2 }] : [{}];
      for (const turn of turns) lines.push({ prompt_id, sample: 0, ...turn, text, finish_reason: 'stop', tokens: 5 });
      continue;
    }
    const user = (messages as { role: string; content: string }[]).flatMap(({ role, content }) =>
      role === 'user' ? [content] : [],
    );
    const draw = drawFor(model, user.join('\n'), 1);
    const persona = PERSONAS[Math.floor(PERSONAS.length * draw('persona'))] ?? 'direct';
    const text = answer(bank.world, recognise(bank, { system: '', user }), persona, draw);
    lines.push({ prompt_id, sample: 0, text, finish_reason: 'stop', tokens: text.split(' ').length });
  }
  return folderWith(shop, { 'completions.jsonl': lines });
}

/** They copy files that others wrote, of which this repository holds no word. */
const BROUGHT = ['mt-bench-data', 'mt-bench-rejudged'];

/** What an input is called where a task names it. */
const artifactOf = (input: string): Artifact => {
  const digest = sha256(input);
  return { ref: { type: 'model', name: `org/${input}`, commit: digest.slice(0, 40) }, digest };
};

/** The card is no part of an artifact's content. */
async function bytesOf(folder: string): Promise<Record<string, string>> {
  const { 'README.md': _, ...files } = await digests(folder);
  return files;
}

/** All steps of a scenario in turn; what its tasks made, by step. */
async function results(name: string): Promise<[string, Frozen][]> {
  const { recipe, stages } = SCENARIOS[name] ?? assert.fail(name);
  const made: Record<string, string> = {};
  const found: [string, Frozen][] = [];
  for (const step of stepsOf(recipe, registry, stages)) {
    const inputs: Record<string, string> = {};
    for (const [input, from] of Object.entries(step.inputs))
      inputs[input] =
        from.from === 'hub'
          ? (FROM_HUB[from.ref] ?? material)
          : (made[`${from.from === 'stage' ? from.stage : step.stage}/${from.step ?? ''}`] ?? '');
    if (step.work.kind === 'task' && BROUGHT.includes(step.work.task)) {
      made[`${step.stage}/${step.name}`] = await questionsOfTwoTurns(shop, list);
      continue;
    }
    if (step.work.kind === 'job') {
      made[`${step.stage}/${step.name}`] = await asJob(step, inputs);
      continue;
    }
    const task = tasks[step.work.task] ?? assert.fail(step.work.task);
    const artifacts = Object.fromEntries(Object.keys(inputs).map((input) => [input, artifactOf(input)]));
    for (const input of step.named ?? []) delete inputs[input];
    const { out } = await shop.run(`${name} ${step.stage}`, task, step.config, inputs, { artifacts });
    made[`${step.stage}/${step.name}`] = out;
    const read: Record<string, unknown> = {};
    for (const [input, folder] of Object.entries(inputs)) read[input] = folder === '' ? {} : await bytesOf(folder);
    for (const file of step.files) read[file] = sha256(await readFile(join('scripts/train', file)));
    const ingredients = sha256(canonicalJson({ config: step.config, read }));
    found.push([`${name}: ${step.name}`, { task: step.work.task, ingredients, files: await bytesOf(out) }]);
  }
  return found;
}

const found: Record<string, Frozen> = {};
for (const name of Object.keys(SCENARIOS)) Object.assign(found, Object.fromEntries(await results(name)));
let frozen = JSON.parse(readFileSync(GOLDEN, 'utf8')) as Record<string, Frozen>;
if (process.env.ZEPHYR_GOLDEN === 'write') {
  const kept = ([name, { ingredients }]: [string, Frozen]) =>
    frozen[name]?.ingredients === ingredients ? frozen[name] : found[name];
  frozen = Object.fromEntries(Object.entries(found).map((entry) => [entry[0], kept(entry) as Frozen]));
  writeFileSync(GOLDEN, `${JSON.stringify(frozen, null, 1)}\n`);
}

describe('What a task makes of fixed inputs', () => {
  for (const [name, { task, ingredients, files }] of Object.entries(found))
    it(`is what it made when this was frozen, unless its version counts up: ${name}`, () => {
      const before = frozen[name];
      if (before?.ingredients !== ingredients)
        assert.fail(`"${name}" has other ingredients: ZEPHYR_GOLDEN=write freezes what it makes`);
      assert.deepEqual(files, before.files, `the task "${task}" makes something else: count the version in its config up`);
    });

  it('is frozen for every task that there is', () => {
    assert.deepEqual(
      [...new Set(Object.values(frozen).map(({ task }) => task))].sort(),
      Object.keys(tasks)
        .filter((task) => !BROUGHT.includes(task))
        .sort(),
    );
    assert.deepEqual(Object.keys(frozen).sort(), Object.keys(found).sort());
  });
});
