import assert from 'node:assert/strict';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Row, readParquet } from '../../src/datasets/parquet.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { type ArtifactRef, parseRef } from '../../src/model/artifact.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { makeQuestionBank } from '../../src/practice/question-bank.ts';
import { startPracticeServer } from '../../src/practice/server.ts';
import { COMPLETIONS_FILE, pairsFile, RATINGS_FILE } from '../../src/stages/aif/tables.ts';
import { type Gate, startGate } from '../rig/gate.ts';
import { type Ended, newPlace, type Place, start, zephyr } from '../rig/zephyr.ts';

const SEED = 7;
const texts = makeQuestionBank(SEED)
  .phrasings.filter(({ heldOut }) => !heldOut)
  .map(({ text }) => text);

/** What differs between the recipes of one test. */
export interface Feedback {
  readonly prompts?: number;
  readonly aspects?: readonly string[];
  readonly binarize?: Readonly<Record<string, unknown>>;
  /** further fields of every teacher */
  readonly teacher?: Readonly<Record<string, unknown>>;
  /** and of single ones, by id */
  readonly only?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const POOL = ['direct', 'rambling', 'evasive', 'mixed'];

/** A recipe whose feedback is all bought, from practice teachers, and that trains nothing. */
export async function writeFeedback(wanted: Feedback = {}): Promise<string> {
  const { prompts = 16, aspects = ['honesty', 'helpfulness'], binarize = {}, teacher = {}, only = {} } = wanted;
  const teachers = [...POOL, 'judge'].map((id) => [
    id,
    { provider: 'practice', model: `practice-${id}`, ...teacher, ...only[id] },
  ]);
  const recipe = {
    name: 'feedback',
    namespace: 'test',
    seed: SEED,
    base: 'hf://models/test/base',
    teachers: Object.fromEntries(teachers),
    dsft: {
      data: { source: 'datasets', datasets: [{ ref: 'hf://datasets/test/none' }] },
      train: { learningRate: 1e-5, epochs: 1, globalBatch: 8 },
    },
    aif: {
      source: 'teachers',
      prompts: { sources: [{ list: texts.slice(0, prompts) }] },
      pool: POOL.map((id) => ({ teacher: id })),
      answersPerPrompt: 3,
      answer: { maxTokens: 48 },
      judge: { teachers: ['judge'], aspects, permutations: 2 },
      binarize: { testPrompts: 4, ...binarize },
    },
    ddpo: { train: { beta: 0.1, learningRate: 1e-6, epochs: 1, globalBatch: 8 } },
  };
  const path = join(await mkdtemp(join(tmpdir(), 'zephyr-feedback-')), 'feedback.yaml');
  // JSON is YAML
  await writeFile(path, JSON.stringify(recipe, null, 2));
  return path;
}

/** A call that the provider answered: what it counts, and bills. */
export interface Paid {
  readonly model: string;
  readonly key: string;
  readonly completion: { readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number } };
}

export interface Provider extends Omit<Gate, 'close'> {
  readonly paid: () => Promise<Paid[]>;
  readonly stop: () => Promise<void>;
}

/** The practice teacher in this process: it outlives every zephyr, and knows what it answered. */
export async function startProvider(): Promise<Provider> {
  const log = join(await mkdtemp(join(tmpdir(), 'zephyr-provider-')), 'log.jsonl');
  const server = await startPracticeServer({ seed: SEED, log });
  const { close, ...gate } = await startGate(server.url);
  return {
    ...gate,
    paid: async () =>
      (await readFile(log, 'utf8')).split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Paid])),
    stop: async () => {
      await close();
      await server.close();
    },
  };
}

export const isJudge = ({ model }: Paid) => model === 'practice-judge';

export const keysOf = (calls: readonly Paid[]) => calls.map(({ key }) => key).sort();

/** The keys that were answered more than once. */
export function paidTwice(calls: readonly Paid[]): string[] {
  const keys = keysOf(calls);
  return keys.filter((key, index) => key === keys[index - 1]);
}

/** Starts zephyr and sends the signal while a call waits that came when `when` held of what was paid; how zephyr ended. */
export async function stoppedWhen(
  place: Place,
  args: readonly string[],
  provider: Provider,
  when: (calls: readonly Paid[]) => boolean,
  signal: NodeJS.Signals,
): Promise<Ended> {
  const reached = provider.hold(async () => when(await provider.paid()));
  const { child, ended } = await start(place, args);
  const early = await Promise.race([reached, ended]);
  assert.equal(early, undefined, `zephyr ended before it was stopped: ${early?.stderr}`);
  child.kill(signal);
  provider.open();
  return await ended;
}

/** The ID of the only artifact that a command printed. */
export function idOf(ended: Ended): string {
  assert.equal(ended.code, 0, ended.stderr);
  const [id = '', ...more] = ended.stdout.trim().split('\n');
  assert.deepEqual(more, []);
  return id;
}

/** What a finished stage published, read from the disk of the Hub's own place. */
export interface Made {
  /** content digest of the pairs */
  readonly digest: string;
  readonly pairs: readonly Row[];
  readonly ratings: readonly Row[];
  readonly completions: readonly Row[];
  /** where the pairs and their card lie, as a client of the Hub has them */
  readonly folder: string;
}

export async function made(hubPlace: Place, id: string): Promise<Made> {
  const hub = await openLocalHub(join(hubPlace.home, 'hub'));
  const cache = await mkdtemp(join(tmpdir(), 'zephyr-made-'));
  const { env: _, ...bare } = hubPlace;
  const inspected = await zephyr(bare, 'inspect', id, '--json');
  assert.equal(inspected.code, 0, inspected.stderr);
  const { manifest } = JSON.parse(inspected.stdout) as { manifest: Manifest };
  const ref = parseRef(id);
  assert.ok(ref);
  const pairs = { type: ref.type, name: ref.name, commit: ref.revision };
  const rows = async (of: ArtifactRef | undefined, files: readonly string[]): Promise<Row[]> => {
    assert.ok(of, 'the artifact names what it was made of');
    const { folder } = await hub.materialise(of, cache);
    const found: Row[] = [];
    for (const file of files) for await (const row of readParquet(join(folder, file))) found.push(row);
    return found;
  };
  return {
    digest: manifest.digest,
    pairs: await rows(pairs, [pairsFile('train_prefs'), pairsFile('test_prefs')]),
    ratings: await rows(manifest.inputs.ratings, [RATINGS_FILE]),
    completions: await rows(manifest.inputs.completions, [COMPLETIONS_FILE]),
    folder: (await hub.materialise(pairs, cache)).folder,
  };
}

/** What a recipe makes, and what it takes, when nothing comes between. */
export async function undisturbed(recipe: string): Promise<{ readonly made: Made; readonly paid: readonly Paid[] }> {
  const provider = await startProvider();
  try {
    const place = await newPlace({ ZEPHYR_PRACTICE_URL: provider.url });
    const id = idOf(await zephyr(place, 'aif', recipe));
    return { made: await made(place, id), paid: await provider.paid() };
  } finally {
    await provider.stop();
  }
}

/** A machine of its own, with nothing on it but the key to a Hub that another place serves. */
export async function clientOf(hubPlace: Place, provider: Provider): Promise<Place> {
  const token = (await readFile(join(hubPlace.home, 'hub', 'token'), 'utf8')).trim();
  return newPlace({ HF_TOKEN: token, ZEPHYR_PRACTICE_URL: provider.url });
}
