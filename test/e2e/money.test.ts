import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { startChatServer } from '../rig/chat-server.ts';
import { assertMistake } from '../rig/mistake.ts';
import { CTRL_C, onTerminal } from '../rig/terminal.ts';
import { type Ended, missing, newPlace, runsAt, zephyr } from '../rig/zephyr.ts';
import { importFolder } from './early-stop.ts';
import { idOf, startProvider, writeFeedback } from './feedback.ts';

const skip = missing();
const PRICE = { input: 1, output: 10, date: '2026-01-01', source: 'made up' };
const KEY = 'swordfish.0123456789';

/** A recipe of which every teacher is asked at this address, and wants a key. */
function paidRecipe(baseUrl: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return writeFeedback({ prompts: 6, teacher: { provider: 'openai', baseUrl, keyFrom: 'SHOP_KEY', price: PRICE, ...more } });
}

describe('before anything is paid', { skip, concurrency: false }, () => {
  test('every key is there, or the teacher without one is named and nothing begins', async (t) => {
    const provider = await startProvider();
    t.after(provider.stop);
    const recipe = await paidRecipe(provider.url);
    const bare = await newPlace();
    const own = ['--set', 'teachers.judge.keyFrom=JUDGE_KEY'];
    const without = await zephyr(bare, 'aif', recipe, '--yes', ...own);
    const names =
      /Cannot ask teachers "direct", "rambling", "evasive" and "mixed": no key, expected one in SHOP_KEY; .*\n.*Cannot ask teacher "judge": no key, expected one in JUDGE_KEY;/;
    assertMistake(without, 3, names, /nothing was started; set SHOP_KEY in the environment, or SHOP_KEY_PATH/);
    const file = join(await mkdtemp(join(tmpdir(), 'zephyr-key-')), 'key');
    const place = { home: bare.home, env: { SHOP_KEY: ' ', JUDGE_KEY: KEY, SHOP_KEY_PATH: file } };
    assertMistake(await zephyr(place, 'aif', recipe, '--yes', ...own), 3, /SHOP_KEY_PATH names "\S+key", which does not exist/);
    await writeFile(file, '\n');
    assertMistake(await zephyr(place, 'aif', recipe, '--yes', ...own), 3, /SHOP_KEY_PATH names "\S+key", which is empty/);
    await writeFile(file, `${KEY}\nsecond.line.${KEY}`);
    const two = await zephyr(place, 'aif', recipe, '--yes', ...own);
    assertMistake(two, 3, /the file of SHOP_KEY_PATH holds a blank, a line break/);
    assert.ok(!two.stderr.includes(KEY));
    assert.deepEqual(await runsAt(bare), []);

    await writeFile(file, `${KEY}\n`);
    const plan = await zephyr(place, 'plan', recipe, '--stage', 'aif', ...own);
    assert.match(plan.stdout, / {2}SHOP_KEY: there \(file\); for teachers "direct", "rambling", "evasive" and "mixed"\n/);
    assert.match(plan.stdout, / {2}JUDGE_KEY: there \(environment\); for teacher "judge"\n/);
    assert.ok(!plan.stdout.includes(KEY));
    assert.deepEqual(await provider.paid(), []);
    idOf(await zephyr(place, 'aif', recipe, '--yes', ...own));
    const again = await zephyr(bare, 'aif', recipe, ...own);
    assert.equal(again.code, 0, `what is used again needs neither a key nor a word: ${again.stderr}`);
  });

  test('run looks for the keys of aif before it trains dsft', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-inputs-'));
    for (const split of ['train_sft', 'test_sft']) await writeFile(join(folder, `${split}.jsonl`), '{"messages": []}\n');
    const place = await newPlace();
    await importFolder(place, folder, 'hf://models/test/base');
    await importFolder(place, folder, 'hf://datasets/test/none');
    const recipe = await paidRecipe('http://127.0.0.1:9/v1');
    const batch = ['--set', 'dsft.train.globalBatch=16', '--set', 'ddpo.train.globalBatch=16'];
    assertMistake(await zephyr(place, 'run', recipe, ...batch, '--yes'), 3, /no key, expected one in SHOP_KEY/);
    const keyed = { ...place, env: { SHOP_KEY: KEY } };
    assertMistake(await zephyr(keyed, 'run', recipe, ...batch), 2, /Cannot begin stage "aif" unasked/);
    assert.deepEqual(await runsAt(place), []);
  });

  test('a key in the place of its name is refused and shown nowhere', async () => {
    const place = await newPlace();
    const recipe = await paidRecipe('http://127.0.0.1:9/v1');
    const text = await readFile(recipe, 'utf8');
    for (const secret of [
      'my secret 42',
      'sk-proj-0123456789',
      'hf_0123456789abcdef',
      'AKIAIOSFODNN7EXAMPLE',
      '0123456789',
      '"sesame',
      '*sesame',
    ]) {
      const said = async (...args: string[]): Promise<Ended> => {
        const ended = await zephyr(place, 'plan', ...args, '--json');
        assertMistake(ended, 2, /./);
        assert.ok(!(ended.stdout + ended.stderr).includes(secret.slice(1)), ended.stderr);
        return ended;
      };
      await said(recipe, '--set', `teachers.judge.keyFrom=${secret}`);
      await said(recipe, '--set', `teachers.judge.failover=[{provider: openai, keyFrom: ${secret}}]`);
      await writeFile(recipe, text.replace('"SHOP_KEY"', secret));
      await said(recipe);
      await writeFile(recipe, text);
    }
  });

  test('without a cap and a terminal it takes --yes, a budget, or teachers that are free', async (t) => {
    const provider = await startProvider();
    t.after(provider.stop);
    const place = await newPlace({ SHOP_KEY: KEY });
    const recipe = await paidRecipe(provider.url);
    const refused = await zephyr(place, 'aif', recipe);
    const why =
      /Cannot begin stage "aif" unasked: it pays teachers, and aif\.budgetUsd sets no limit \(\$\S+ likely, \$\S+ to \$\S+\)/;
    assertMistake(refused, 2, why, /--set aif\.budgetUsd=DOLLARS, or agree with --yes, or with a plan/);
    const unpriced = await zephyr(place, 'aif', recipe, '--set', 'teachers.judge.price=null');
    assertMistake(unpriced, 2, /and what judge costs, which has no price/);
    const spare = JSON.stringify([{ provider: 'openai', baseUrl: provider.url, price: PRICE }]);
    const free = ['direct', 'rambling', 'evasive', 'mixed', 'judge'].flatMap((id) => [
      '--set',
      `teachers.${id}.price={input: 0, output: 0, date: 2026-01-01, source: ours}`,
    ]);
    assertMistake(await zephyr(place, 'aif', recipe, ...free, '--set', `teachers.judge.failover=${spare}`), 2, why);
    assert.deepEqual(await runsAt(place), []);
    assert.deepEqual(await provider.paid(), []);

    idOf(await zephyr(place, 'aif', recipe, ...free));
    idOf(await zephyr(place, 'aif', recipe, '--set', 'name=capped', '--set', 'aif.budgetUsd=5'));
    idOf(await zephyr(place, 'aif', recipe, '--set', 'name=agreed', '--yes'));
  });

  test('a terminal is asked, and only yes begins', async (t) => {
    const provider = await startProvider();
    t.after(provider.stop);
    const place = await newPlace({ SHOP_KEY: KEY });
    const recipe = await paidRecipe(provider.url);
    for (const [typed, code] of [
      [CTRL_C, 130],
      ['\n', 4],
      ['no\n', 4],
      ['\u0004', 4],
    ] as const) {
      const terminal = await onTerminal(place, 80, ['aif', recipe]);
      await terminal.shows(/\[y\/N\]/);
      const lines = stripVTControlCharacters(terminal.printed()).split(/\r?\n/);
      assert.match(lines.join('\n'), /aif: \$\S+ likely, \$\S+ to \$\S+\nA limit: --set aif\.budgetUsd=DOLLARS/);
      assert.deepEqual(
        lines.filter((line) => line.length > 80),
        [],
      );
      terminal.type(typed);
      assert.equal(await terminal.ended, code, terminal.printed());
      assert.match(terminal.printed(), /Nothing was started/);
    }
    assert.deepEqual(await runsAt(place), []);
    assert.deepEqual(await provider.paid(), []);
    const terminal = await onTerminal(place, 80, ['aif', recipe]);
    await terminal.shows(/\[y\/N\]/);
    terminal.type('y\n');
    assert.equal(await terminal.ended, 0, terminal.printed());
  });
});

describe('a saved plan', { skip, concurrency: false }, () => {
  test('is carried out without a question, and a second time nothing is left to do', async (t) => {
    const provider = await startProvider();
    t.after(provider.stop);
    const place = await newPlace({ SHOP_KEY: KEY });
    const recipe = await paidRecipe(provider.url);
    const file = join(await mkdtemp(join(tmpdir(), 'zephyr-plan-')), 'plan.json');
    const made = await zephyr(place, 'plan', recipe, '--stage', 'aif', '--out', file);
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stderr, /zephyr run \S+plan\.json/);
    assert.deepEqual(await provider.paid(), []);
    const id = idOf(await zephyr(place, 'run', file));
    const paid = (await provider.paid()).length;
    assert.ok(paid > 0);
    assert.equal(idOf(await zephyr(place, 'run', file)), id);
    assert.equal((await provider.paid()).length, paid);
  });

  test('is refused with the reason when it does not hold any more', async () => {
    const place = await newPlace({ SHOP_KEY: KEY });
    const recipe = await paidRecipe('http://127.0.0.1:9/v1');
    const text = await readFile(recipe, 'utf8');
    const file = join(await mkdtemp(join(tmpdir(), 'zephyr-plan-')), 'plan.json');
    const plan = (...more: string[]) => zephyr(place, 'plan', recipe, '--stage', 'aif', '--out', file, ...more);
    assert.equal((await plan()).code, 0);
    const refused = async (code: number, why: RegExp, ...more: string[]) =>
      assertMistake(await zephyr(place, 'run', file, ...more), code, why);

    await writeFile(recipe, text.replace('"output": 10', '"output": 11'));
    await refused(6, /does not hold any more\n {2}the recipe \S+ was changed, teachers\.direct\.price\.output: 10 -> 11/);
    await writeFile(recipe, text);
    await refused(6, /made for another target, backend: "process" -> "docker"/, '--on', 'docker');
    await refused(2, /with --set: it would be another plan/, '--set', 'seed=1');
    await refused(6, /it was made for the embedded one/, '--hub', 'http://127.0.0.1:9');
    assertMistake(await zephyr(place, 'aif', file), 2, /it is a saved plan/, /zephyr run/);

    const saved = await readFile(file, 'utf8');
    await writeFile(file, saved.replace('"output": 10', '"output": 1'));
    await refused(2, /it was changed after it was made/);
    await writeFile(file, saved.slice(0, -100));
    await refused(2, /it is no whole JSON/);
    assertMistake(await zephyr(place, 'plan', recipe, '--stage', 'aif', '--out', recipe), 2, /it holds something else/);
    assert.equal(await readFile(recipe, 'utf8'), text);
    assert.deepEqual(await runsAt(place), []);
    assert.ok(existsSync(file));
  });
});

test('a cap holds to the cent at a server whose reasoning is in the total alone', { skip }, async (t) => {
  const [rawBody = ''] = (JSON.parse(await readFile('test/fixtures/cases/reasoning-tokens-cost.json', 'utf8')) as unknown[]).map(
    (each) => JSON.stringify(each),
  );
  const server = await startChatServer(() => ({ rawBody, delayMs: 1 }));
  t.after(server.close);
  const recipe = await writeFeedback({ prompts: 16, teacher: { provider: 'openai', baseUrl: server.url, price: PRICE } });
  const ended = await zephyr(await newPlace(), 'aif', recipe, '--set', 'aif.budgetUsd=0.5');
  assertMistake(ended, 3, /Stopped at the budget: spent \$(\S+) of \$0\.50/);
  const billed = server.asked.length * 0.02025;
  assert.ok(billed <= 0.5, `billed ${billed}`);
  assert.equal(/spent \$(\S+) of/.exec(ended.stderr)?.[1], billed.toFixed(2));
});
