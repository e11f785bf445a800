import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { assertMistake } from '../rig/mistake.ts';
import { startPractice } from '../rig/practice.ts';
import { CANARY, type Ended, type ListedRun, missing, newPlace, type Place, runsAt, start, zephyr } from '../rig/zephyr.ts';
import { importFolder, startHub, stopStage } from './early-stop.ts';
import { type Tiny, writeTiny } from './tiny.ts';

const skip = missing();

describe('a mistake gets one clear message and the documented status', { skip, concurrency: false }, () => {
  let tiny: Tiny;
  let place: Place;
  let on: string;

  before(async () => {
    tiny = await writeTiny();
    on = tiny.on('process');
    place = await newPlace();
    await stopStage(place);
  });

  test('unknown keys and wrong types are all named at once, with their places and the nearest key', async () => {
    const bad = join(await mkdtemp(join(tmpdir(), 'zephyr-bad-')), 'bad.yaml');
    const text = await readFile(tiny.recipe, 'utf8');
    await writeFile(bad, text.replace('epochs: 40', 'epoch: 40').replace('beta: 0.1', 'beta: strong'));
    for (const verb of ['plan', 'run', 'dsft', 'rehearse']) {
      const ended = await zephyr(place, verb, bad);
      assertMistake(ended, 2, /bad\.yaml:16:\d+: unknown key "dsft\.train\.epoch"; did you mean "epochs"\?/);
      assert.match(ended.stderr, /bad\.yaml:27:\d+: ddpo\.train\.beta: expected a number, got "strong"/);
      assert.match(ended.stderr, /bad\.yaml:16:\d+: missing "dsft\.train\.epochs": expected a number/);
    }
  });

  test('a wrong --set names the option and the nearest key', async () => {
    const ended = await zephyr(place, 'plan', tiny.recipe, '--set', 'dsft.train.globalBatchh=3', '--set', 'seed=x');
    assertMistake(ended, 2, /--set dsft\.train\.globalBatchh=3: unknown key .*did you mean "globalBatch"\?/);
    assert.match(ended.stderr, /--set seed=x: seed: expected a number, got "x"/);
  });

  test('recipe, target and their folders that are not there', async () => {
    assertMistake(await zephyr(place, 'run', 'missing.yaml'), 2, /Cannot read recipe "missing\.yaml": there is no such file/);
    assertMistake(await zephyr(place, 'run', tiny.recipe, '--on', './no.yaml'), 2, /Cannot read target "\.\/no\.yaml"/);
    assertMistake(
      await zephyr(place, 'run', tiny.recipe, '--on', 'proces'),
      2,
      /Cannot find target "proces": .*did you mean "process"\?/,
    );
    assertMistake(await zephyr(place, 'dsft'), 2, /Cannot run dsft: no recipe/, /zephyr dsft/);
  });

  test('verbs, options and choices that do not exist', async () => {
    assertMistake(await zephyr(place, 'dfst', tiny.recipe), 2, /unknown command 'dfst'/, /zephyr --help/);
    assertMistake(await zephyr(place, 'run', tiny.recipe, '--onn', 'process'), 2, /unknown option '--onn'\s.*--on\?/);
    assertMistake(await zephyr(place, 'run'), 2, /missing required argument 'recipe'/);
    assertMistake(await zephyr(place, 'plan', tiny.recipe, '--stage', 'sft'), 2, /Allowed choices are dsft, aif, ddpo/);
    assertMistake(await zephyr(place, 'schema', 'model'), 2, /expected recipe or target/);
    assertMistake(await zephyr(place, 'completion', 'tcsh'), 2, /expected bash, zsh or fish/);
    assertMistake(await zephyr(place, 'hub', 'sell'), 2, /expected serve, ls, import FOLDER, .*prune/);
  });

  test('IDs that mean nothing', async () => {
    const run = 'run-01arz3ndektsv4rrffq69g5fav';
    for (const verb of ['resume', 'status', 'cancel', 'logs']) {
      assertMistake(await zephyr(place, verb, 'run-short'), 2, /Cannot read the ID "run-short"/, /zephyr status/);
      assertMistake(await zephyr(place, verb, run), 3, /Cannot find "run-01arz/, /zephyr status/);
    }
    assertMistake(await zephyr(place, 'resume', 'hf://models/test/hollow'), 3, /no run of zephyr made it/);
    assertMistake(await zephyr(place, 'inspect', 'hf://models/test/none'), 3, /Cannot find "hf:\/\/models\/test\/none"/);
  });

  test('inputs that are no artifact of the stage, named before anything is started', async () => {
    const none = await zephyr(place, 'aif', tiny.recipe, '--on', on, '--dsft', 'hf://models/test/none');
    assertMistake(none, 3, /Cannot find "hf:\/\/models\/test\/none"/, /zephyr hub import FOLDER --as hf:\/\/models\/test\/none/);
    const hollow = await zephyr(
      place,
      'aif',
      tiny.recipe,
      '--set',
      'base=hf://models/test/hollow',
      '--dsft',
      'hf://models/test/hollow',
    );
    assertMistake(hollow, 2, /it is the base model/, /zephyr dsft/);
    assertMistake(
      await zephyr(place, 'aif', tiny.recipe, '--on', on),
      2,
      /Cannot plan stage "aif" without the artifact of stage "dsft"/,
      /--dsft hf:/,
    );
    assert.deepEqual(await runsAt(place), [], 'no run was begun');
  });

  test('an artifact of another kind than the stage makes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-kinds-'));
    const own = await newPlace();
    const given = async (name: string, file: string, as: string, content = '{}\n') => {
      await writeFile(join(folder, file), content);
      await importFolder(own, folder, as);
      await rm(join(folder, file));
      return await zephyr(own, 'ddpo', tiny.recipe, '--on', on, `--${name}`, as, ...(name === 'dsft' ? ['--aif', PAIRS] : []));
    };
    const PAIRS = 'hf://datasets/test/pairs';
    const mistake = (ended: Ended, why: RegExp) => assertMistake(ended, 2, why, /zephyr inspect ID/);
    await writeFile(join(folder, 'train_prefs.jsonl'), '{}\n');
    await importFolder(own, folder, PAIRS);
    mistake(await given('dsft', 'rows.jsonl', 'hf://datasets/test/rows'), /stage "dsft": it is a dataset, expected a model/);
    mistake(await given('dsft', 'adapter_config.json', 'hf://models/test/adapter'), /it is an adapter without its model/);
    mistake(await given('dsft', 'model.gguf', 'hf://models/test/gguf'), /it holds no config\.json/);
    const headless = '{"architectures": ["MistralForSequenceClassification"]}';
    mistake(
      await given('dsft', 'config.json', 'hf://models/test/reward', headless),
      /MistralForSequenceClassification, which writes no/,
    );
    mistake(await given('aif', 'config.json', 'hf://models/test/model'), /stage "aif": it is a model, expected a dataset/);
    const planned = ['plan', tiny.recipe, '--stage', 'ddpo', '--dsft', 'hf://datasets/test/rows', '--aif', PAIRS];
    mistake(await zephyr(own, ...planned), /stage "dsft": it is a dataset/);
    assert.deepEqual(await runsAt(own), [], 'no run was begun');
  });

  test("a user's own repo under a name that the recipe publishes under", async () => {
    const own = await newPlace();
    const args = await stopStage(own, tiny);
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-shop-'));
    await writeFile(join(folder, 'train_sft.jsonl'), '{"messages": []}\n');
    await importFolder(own, folder, 'hf://datasets/test/tiny-sft-data');
    const refusal = /Cannot publish in "hf:\/\/datasets\/test\/tiny-sft-data".*did not make \(train_sft\.jsonl\)/;
    assertMistake(await zephyr(own, ...args), 2, refusal, /`name`/);
    const planned = await zephyr(own, 'plan', tiny.recipe, '--on', on);
    assertMistake(planned, 3, /Cannot find "hf:\/\/models\/test\/base"/);
    assert.match(planned.stdout, /^ {2}hf:\/\/datasets\/test\/tiny-sft-data \(holds files that zephyr did not make\)$/m);
    assert.deepEqual(await runsAt(own), [], 'no run was begun');
    await importFolder(own, folder, 'hf://models/test/tiny-dsft');
    const reads = ['dsft', tiny.recipe, '--on', on, '--set', 'base=hf://models/test/tiny-dsft'];
    assertMistake(await zephyr(own, ...reads), 2, /would publish in "hf:\/\/models\/test\/tiny-dsft", which the recipe reads/);
  });

  test('a split of the feedback that is not there, before dSFT is trained', async () => {
    const own = await newPlace();
    const args = await stopStage(own, tiny);
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-splits-'));
    await writeFile(join(folder, 'train.jsonl'), '{"prompt": "Hello", "chosen": "Hi", "rejected": "No"}\n');
    await importFolder(own, folder, 'hf://datasets/test/pairs');
    const pairs = join(folder, 'pairs.yaml');
    const text = await readFile(tiny.recipe, 'utf8');
    await writeFile(pairs, text.replace(/^aif:[\s\S]*?^ddpo:/m, 'aif: {source: pairs, ref: hf://datasets/test/pairs}\nddpo:'));
    const refusal =
      /Cannot take "hf:\/\/datasets\/test\/pairs" for aif\/binarize: cannot find split "train_prefs": expected train; cannot find split "test_prefs": expected train/;
    for (const verb of ['run', 'plan'])
      assertMistake(await zephyr(own, verb, pairs, ...args.slice(2)), 2, refusal, /the dataset holds train\.jsonl/);
    assert.deepEqual(await runsAt(own), [], 'no run was begun');
  });

  test('a global batch that does not divide is refused before anything is started or paid', async () => {
    const args = ['dsft', tiny.recipe, '--on', on, '--set', 'base=hf://models/test/hollow', '--set', 'dsft.train.globalBatch=12'];
    assertMistake(
      await zephyr(place, ...args),
      2,
      /Cannot divide the global batch 12 over processes 1 x microBatch\.\w+ 8/,
      /microBatch/,
    );
    assertMistake(await zephyr(place, 'plan', ...args.slice(1)), 2, /Cannot divide the global batch 12/);
    assert.deepEqual(await runsAt(place), [], 'no run was begun');
    await assert.rejects(readFile(join(place.home, 'practice.jsonl')), 'the practice teacher was not asked');
  });

  test('a base model without a tokenizer is named by its ID', async () => {
    const own = await newPlace();
    const ended = await zephyr(own, ...(await stopStage(own, tiny)));
    assertMistake(
      ended,
      2,
      /^error: Stage dsft stopped in step prepare: .*hf:\/\/models\/test\/hollow@.*tokenizer\.json/m,
      /zephyr logs hf:/,
    );
  });

  test('a teacher out of reach: nothing is lost, and the run goes on later', async (t) => {
    const practice = await startPractice(7);
    t.after(practice.stop);
    const own = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
    const args = await stopStage(own, tiny);
    const away = { ...own, env: { ZEPHYR_PRACTICE_URL: NOBODY } };
    const ended = await zephyr(away, ...args);
    assertMistake(
      ended,
      75,
      /Cannot reach teacher "practice-user at the practice teacher": .*ECONNREFUSED/,
      /^hint: [^;]*kept; the recipe names it in teachers\.user; go on with: zephyr resume hf:/,
    );
    const id = /zephyr resume (\S+)/.exec(ended.stderr)?.[1] ?? '';
    const later = await zephyr(own, 'resume', id);
    assert.match(later.stderr, /dsft\/construct {2}done/);
  });

  test('a teacher that refuses the key, and a key that is not there', async (t) => {
    const practice = await startPractice(7, '--key', 'the-right-key');
    t.after(practice.stop);
    const own = await newPlace({ MY_KEY: 'a-wrong-key' });
    const text = (await readFile(tiny.recipe, 'utf8')).replaceAll(
      'provider: practice',
      `provider: openai, keyFrom: MY_KEY, baseUrl: "${practice.url}"`,
    );
    const recipe = join(await mkdtemp(join(tmpdir(), 'zephyr-key-')), 'keyed.yaml');
    await writeFile(recipe, text);
    const args = [...(await stopStage(own, { ...tiny, recipe })), '--yes'];
    const refused = await zephyr(own, ...args);
    assertMistake(refused, 3, /Cannot ask teacher .*: HTTP 401/, /key.*; go on with: zephyr resume hf:/);
    assert.doesNotMatch(refused.stderr, /a-wrong-key/);
    assertMistake(await zephyr({ home: own.home }, ...args), 3, /no key, expected one in MY_KEY/, /MY_KEY/);
    const right = await zephyr({ home: own.home, env: { MY_KEY: 'the-right-key' } }, ...args);
    assert.match(right.stderr, /dsft\/construct {2}done/);
  });

  test('a remote Hub with a wrong token, an unreadable one, or no address', async (t) => {
    const hub = await startHub(place);
    t.after(hub.stop);
    const plan = ['plan', tiny.recipe, '--hub', hub.url];
    assertMistake(await zephyr(place, ...plan), 3, /answered 401/, /token/);
    assertMistake(await zephyr(place, 'status', '--hub', hub.url), 3, /answered 401/, /token/);
    const gone = { home: place.home, env: { HF_TOKEN_PATH: '/nonexistent/token', HF_TOKEN: undefined as unknown as string } };
    assertMistake(await zephyr(gone, ...plan), 3, /HF_TOKEN_PATH names "\/nonexistent\/token"/);
    assertMistake(
      await zephyr(place, 'plan', tiny.recipe, '--hub', 'huggingface.co'),
      2,
      /Cannot open the Hub at "huggingface\.co": expected/,
    );
  });

  test('a port that is taken or none', async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    t.after(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    assertMistake(
      await zephyr(place, 'hub', 'serve', '--port', String(port)),
      3,
      new RegExp(`Cannot listen on port ${port}`),
      /--port/,
    );
    assertMistake(await zephyr(place, 'hub', 'serve', '--port', '7e9'), 2, /expected a number from 0 to 65535/);
  });

  test('docker that does not run', async () => {
    const own = { home: place.home, env: { DOCKER_HOST: 'unix:///nonexistent' } };
    const ended = await zephyr(own, 'run', tiny.recipe, '--on', 'docker', '--set', 'base=hf://models/test/hollow');
    assertMistake(ended, 3, /Cannot reach docker|Cannot run docker/, /process/);
  });

  test('a run that another zephyr works on', async (t) => {
    const practice = await startPractice(7);
    t.after(practice.stop);
    const own = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
    const args = await stopStage(own, tiny);
    const asks = practice.hold(() => true);
    const first = await start(own, args);
    await asks;
    const [{ id }] = (await runsAt(own)) as [ListedRun];
    assertMistake(
      await zephyr(own, 'resume', id),
      6,
      /Cannot work on .*: process \d+ on this machine owns it/,
      /zephyr status hf:/,
    );
    assertMistake(await zephyr(own, ...args), 6, /owns it/);
    practice.open();
    const ended = await first.ended;
    assert.match(ended.stderr, /dsft\/construct {2}done/, 'the first one was not disturbed');
  });

  test('no message of all this held the token', async () => {
    const ended = await zephyr(place, 'hub', 'import', `/nonexistent/${CANARY}`, '--as', 'hf://models/test/x');
    assert.equal(ended.code, 2);
    assert.doesNotMatch(ended.stderr, new RegExp(CANARY));
  });
});

/** An address where nobody listens: of the ports that no other test is given either. */
const NOBODY = 'http://127.0.0.1:2/v1';
