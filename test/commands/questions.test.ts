import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { localHub } from '../../src/hub/local-hub.ts';
import { startHubServer } from '../../src/hub-server/server.ts';
import { openStore } from '../../src/store/store.ts';
import { writeTiny } from '../e2e/tiny.ts';
import { assertMistake } from '../rig/mistake.ts';
import { CTRL_C, onTerminal, type Terminal } from '../rig/terminal.ts';
import { CANARY, missing, newPlace, type Place, zephyr } from '../rig/zephyr.ts';

const CTRL_D = '\u0004';
const BASE = 'hf://models/test/base';

/** What a user may answer to a question of which the default is no, and how the command ends then. */
const NO: readonly (readonly [answer: string, exit: number])[] = [
  ['\r', 4],
  ['n\r', 4],
  [CTRL_D, 4],
  [CTRL_C, 130],
];

describe('what is asked on a terminal', { skip: missing() }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-asked-'));
  const store = await openStore(join(folder, 'hub'));
  const other = localHub(store);
  const server = await startHubServer({ store, token: CANARY, secret: 's' });
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const repo = { type: 'model', name: 'test/base' } as const;
  await other.createRepo(repo);
  const parent = (await other.resolve({ ...repo, revision: 'main' })) ?? '';
  await other.commit({ repo, branch: 'main', parent, message: 'x', add: [{ path: 'config.json', content: '{}' }] });

  // the judge has no price, and nobody answers there: whatever is asked here, nothing is begun
  const tiny = await writeTiny();
  const recipe = join(folder, 'paid.yaml');
  const text = await readFile(tiny.recipe, 'utf8');
  const paid = '{provider: openai, model: m, baseUrl: "http://127.0.0.1:9/v1", keyFrom: SOME_KEY}';
  await writeFile(recipe, text.replace('{provider: practice, model: practice-judge, store: true}', paid));
  const run = ['run', recipe, '--on', tiny.on('process')];
  const open = async (): Promise<Place> => await newPlace({ HF_ENDPOINT: server.url, HF_TOKEN: CANARY, SOME_KEY: 'some-key' });
  const bring = async (place: Place) => assert.equal((await zephyr(place, 'hub', 'pull', BASE)).code, 0);
  const said = (terminal: Terminal) => stripVTControlCharacters(terminal.printed()).replaceAll(/\r+\n/g, '\n');

  it('whether to pull what a recipe names, by the code of hub pull, and before what it may cost', async () => {
    const place = await open();
    const terminal = await onTerminal(place, 80, run);
    await terminal.shows(/Pull it from http:\S+\? \[y\/N\] /);
    terminal.type('y\r');
    await terminal.shows(/pulling hf:\/\/models\/test\/base@[0-9a-f]{40}: 1 files?/);
    await terminal.shows(/Begin without one\? \[y\/N\] /);
    terminal.type('n\r');
    assert.equal(await terminal.ended, 4, terminal.printed());
    assert.match(said(terminal), /^ {2}aif: what judge costs, which has no price$/m);
    assert.match((await zephyr(place, 'hub', 'ls')).stdout, /^hf:\/\/models\/test\/base /m);
  });

  it('nothing without a terminal: one command is named that brings all that is missing', async () => {
    const place = await open();
    const sets = ['--set', 'dsft.data={source: datasets, datasets: [{ref: "hf://datasets/test/chats"}]}'];
    const ended = await zephyr(place, ...run, ...sets);
    assertMistake(
      ended,
      3,
      /Cannot find "hf:\/\/models\/test\/base"[\s\S]*Cannot find "hf:\/\/datasets\/test\/chats"/,
      /hub pull/,
    );
    assert.match(ended.stderr, /zephyr hub pull hf:\/\/\S+base hf:\/\/datasets\/test\/chats \(/);
  });

  for (const [answer, exit] of NO) {
    it(`${JSON.stringify(answer)} to any question starts, pulls and deletes nothing`, async () => {
      const place = await open();
      const pull = await onTerminal(place, 80, run);
      await pull.shows(/Pull it from .*\[y\/N\] /);
      pull.type(answer);
      assert.equal(await pull.ended, exit === 4 ? 3 : exit, pull.printed());
      assert.match(said(pull), /\[y\/N\] .*\n(error: Cannot find .*\nhint: .*zephyr hub pull hf:|Nothing was pulled)/);
      await bring(place);
      const pay = await onTerminal(place, 80, run);
      await pay.shows(/Begin without one\? \[y\/N\] /);
      pay.type(answer);
      assert.equal(await pay.ended, exit, pay.printed());
      assert.match(said(pay), /\[y\/N\] .*\n(error: )?Nothing was started/);
      const rm = await onTerminal(place, 80, ['hub', 'rm', BASE]);
      await rm.shows(/base with 1 branch, 1 tag and 0 runs: delete this on \S+ \[y\/N\] /);
      rm.type(answer);
      assert.equal(await rm.ended, exit, rm.printed());
      assert.match(said(rm), /\[y\/N\] .*\n(error: )?Nothing (is|was) deleted/);
      assert.match((await zephyr(place, 'hub', 'ls')).stdout, /^hf:\/\/models\/test\/base .* 0$/m);
      assert.equal((await zephyr(place, 'status')).stdout, '');
    });
  }

  it('whether to delete: yes does it', async () => {
    const place = await open();
    await bring(place);
    const terminal = await onTerminal(place, 80, ['hub', 'rm', BASE]);
    await terminal.shows(/\[y\/N\] /);
    terminal.type('y\r');
    assert.equal(await terminal.ended, 0, terminal.printed());
    assert.match(said(terminal), /^deleted hf:\/\/models\/test\/base with /m);
  });

  it('is no part of one document on one line, whatever stands in the way of a plan', async () => {
    const { code, stdout } = await zephyr(await open(), 'plan', ...run.slice(1), '--json');
    const document = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(code, 3);
    assert.deepEqual([document.kind, document.exit], ['preflight', 3]);
    assert.match(String(document.message), /Cannot find "hf:\/\/models\/test\/base"/);
    assert.ok(Array.isArray(document.steps));
  });

  it('is not what a name too many is for: it is refused, and so is what names no repo', async () => {
    const place = await open();
    for (const [args, message] of [
      [['ls', 'all'], /Cannot do "hub ls" with "all": expected no name/],
      [['prune', BASE, '--yes'], /Cannot do "hub prune" with "hf:\S+": expected no name/],
      [['import', folder, folder, '--as', BASE], /expected one folder/],
      [['import', folder, '--as', 'a/b/c'], /Cannot import into "a\/b\/c": expected hf:/],
    ] as const)
      assertMistake(await zephyr(place, 'hub', ...args), 2, message);
  });

  it('is no bug where a token is none: whatever speaks to a Hub says so and does not show it', async () => {
    const place = await newPlace({ HF_TOKEN: 'sesame-open' });
    for (const args of [
      ['status', '--hub', server.url],
      ['hub', 'pull', BASE, '--from', server.url],
      [...run, '--hub', server.url],
    ]) {
      const ended = await zephyr(place, ...args);
      assertMistake(ended, 3, /HF_TOKEN holds no token of a Hub, expected one that begins with hf_/);
      assert.doesNotMatch(ended.stderr, /sesame/);
    }
  });
});
