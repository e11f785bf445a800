import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { parseRef } from '../../src/model/artifact.ts';
import { questions } from '../rig/answering.ts';
import { type Ended, missing, newPlace, type Place, python, zephyr } from '../rig/zephyr.ts';

const skip = missing();
const run = promisify(execFile);

const RECIPE = `
name: feed
namespace: test
seed: 7
base: hf://models/test/base
teachers:
  direct: {provider: practice, model: practice-direct, store: true, licence: mit}
  rambling: {provider: practice, model: practice-rambling, store: true}
  evasive: {provider: practice, model: practice-evasive, store: true}
  judge: {provider: practice, model: practice-judge, store: true}
dsft:
  data: {source: datasets, datasets: [{ref: hf://datasets/test/dialogues}]}
  train: {learningRate: 1.0e-3, epochs: 1, globalBatch: 8}
aif:
  source: teachers
  prompts: {sources: [{name: own, list: PROMPTS, licence: cc0-1.0}]}
  pool: [{teacher: direct}, {teacher: rambling}, {teacher: evasive}]
  answersPerPrompt: 3
  answer: {maxTokens: 48}
  judge: {teachers: [judge], overall: true}
  binarize: {testPrompts: 4}
ddpo:
  train: {beta: 0.1, learningRate: 1.0e-4, epochs: 1, globalBatch: 4}
`;

describe('feedback, from the recipe to the reader', { skip, concurrency: false }, () => {
  let folder: string;
  let recipe: string;
  let place: Place;
  let first: Ended;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'zephyr-feedback-'));
    recipe = join(folder, 'feed.yaml');
    await writeFile(recipe, RECIPE.replace('PROMPTS', JSON.stringify(questions.slice(0, 24))));
    place = await newPlace();
    first = await zephyr(place, 'aif', recipe);
    assert.equal(first.code, 0, first.stderr);
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await rm(place.home, { recursive: true });
  });
  const calls = async () => (await readFile(join(place.home, 'practice.jsonl'), 'utf8')).trim().split('\n').length;
  const inspect = async (id: string) =>
    (JSON.parse((await zephyr(place, 'inspect', id, '--json')).stdout) as { manifest: { metrics: Record<string, unknown> } })
      .manifest;

  test('a changed rule makes the pairs anew from the same ratings, without a single call', async () => {
    const before = await calls();
    const changed = await zephyr(
      place,
      'aif',
      recipe,
      '--set',
      'aif.binarize.rejected=lowest',
      '--set',
      'aif.binarize.score=overall',
    );
    assert.equal(changed.code, 0, changed.stderr);
    assert.equal(await calls(), before);
    for (const step of ['prompts', 'generate', 'judge'])
      assert.match(changed.stderr, new RegExp(`${step}.*reused|reused.*${step}`));
    assert.notEqual(changed.stdout, first.stdout);
    const { metrics } = await inspect(changed.stdout.trim());
    assert.equal((metrics.train_prefs as number) + (metrics.test_prefs as number), metrics.pairs);
  });

  test('the published dataset loads with datasets, the columns of H4 first, and its card tells where all of it is from', async () => {
    const ref = parseRef(first.stdout.trim());
    assert.ok(ref);
    const hub = await openLocalHub(join(place.home, 'hub'));
    const { folder: snapshot } = await hub.materialise({ ...ref, commit: ref.revision }, join(folder, 'cache'));
    const card = await readFile(join(snapshot, 'README.md'), 'utf8');
    assert.match(card, /\| own \| cc0-1\.0 \| 24 \| \d+ \|/);
    assert.match(card, /\| practice-direct \(direct\) \| mit \|/);
    assert.match(card, /\| input \| artifact \| content \|/);
    assert.match(card, /two answers ranked otherwise in another order/);
    const program = `
import json, sys
from datasets import load_dataset
found = {name: load_dataset(sys.argv[1], name) for name in ("default", "completions", "ratings")}
print(json.dumps({name: {split: [rows.column_names, len(rows)] for split, rows in each.items()} for name, each in found.items()}))`;
    const env = { ...process.env, HF_HUB_OFFLINE: '1', HF_HOME: join(folder, 'home'), OMP_NUM_THREADS: '1' };
    const { stdout } = await run(python, ['-c', program, snapshot], { env });
    const loaded = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, Record<string, [string[], number]>>;
    assert.deepEqual(loaded.default?.train_prefs?.[0].slice(0, 7), [
      'prompt',
      'prompt_id',
      'chosen',
      'rejected',
      'messages',
      'score_chosen',
      'score_rejected',
    ]);
    assert.equal(loaded.default?.test_prefs?.[1], 4);
    assert.equal(loaded.completions?.train?.[1], 72);
    assert.equal(loaded.ratings?.train?.[1], 24 * 3 * (4 * 2 + 1));
  });

  test('can be read on one page, and handed to people', async () => {
    const id = first.stdout.trim();
    const page = join(folder, 'page.html');
    const reviewed = await zephyr(place, 'review', id, '--out', page, '--rows', '5');
    assert.deepEqual([reviewed.code, reviewed.stdout], [0, `${page}\n`], reviewed.stderr);
    assert.equal((await readFile(page, 'utf8')).match(/<\/article>/g)?.length, 5);
    const to = join(folder, 'argilla');
    const exported = await zephyr(place, 'export', id, '--to', to, '--json');
    assert.equal(exported.code, 0, exported.stderr);
    const { records } = JSON.parse(exported.stdout) as { records: number };
    assert.equal((JSON.parse(await readFile(join(to, 'records.json'), 'utf8')) as unknown[]).length, records);
    assert.deepEqual(
      (await readdir(place.home)).filter((name) => name.startsWith('reading-')),
      [],
    );
  });

  test('what cannot be read is the user’s mistake, with a way out', async () => {
    for (const [args, message] of [
      [['review', 'hf://models/test/base'], /expected hf:\/\/datasets/],
      [['review', 'hf://datasets/test/none'], /Cannot find "hf:\/\/datasets\/test\/none"/],
      [['review', first.stdout.trim(), '--rows', 'some'], /expected a whole number from 1, or all/],
      [['export', first.stdout.trim()], /expected --to FOLDER/],
    ] as const) {
      const ended = await zephyr(place, ...args);
      assert.notEqual(ended.code, 0);
      assert.match(ended.stderr, message);
      assert.doesNotMatch(ended.stderr, /\n {4}at /);
    }
  });
});
