import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { CTRL_C, onTerminal } from '../rig/terminal.ts';
import { missing, newPlace, type Place, zephyr } from '../rig/zephyr.ts';
import { baseFolder, importBase } from './tiny.ts';

const skip = missing();
const BASE = 'hf://models/test/base';
const ENDLESS = 'hf://models/test/endless';
const CTRL_D = '\u0004';

interface Answered {
  readonly answers: readonly {
    readonly text: string;
    readonly end: string;
    readonly tokens: number;
    readonly promptTokens: number;
  }[];
}

/** The base with room for answers that nobody waits for the end of: what its random weights find likeliest is no end. */
async function importEndless(place: Place): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-endless-'));
  await cp(await baseFolder(), folder, { recursive: true });
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, max_position_embeddings: 1_000_000 }));
  const ended = await zephyr(place, 'hub', 'import', folder, '--as', ENDLESS);
  assert.equal(ended.code, 0, ended.stderr);
}

describe('talking with a model', { skip, concurrency: false }, () => {
  let place: Place;

  before(async () => {
    place = await newPlace();
    await importBase(place);
    await importEndless(place);
  });

  test('one question to two models, by the same draws: two answers in one document, cut where they are full', async () => {
    const asked = ['chat', BASE, '--compare', BASE, '--prompt', 'Who farms what?', '--seed', '3', '--temperature', '1', '--json'];
    const ended = await zephyr(place, ...asked, '--max-tokens', '500');
    assert.equal(ended.code, 0, ended.stderr);
    const { answers } = JSON.parse(ended.stdout) as Answered;
    const [one, other] = answers;
    assert.ok(one !== undefined && one.tokens > 1 && one.text !== '');
    assert.deepEqual(other, one);
    if (one.end === 'context') assert.equal(one.tokens + one.promptTokens, 256);
    else assert.equal(one.end, 'stop');
  });

  test('a prompt over the context is an error, and nothing of it is cut', async () => {
    const ended = await zephyr(place, 'chat', BASE, '--prompt', 'who farms '.repeat(300));
    assert.equal(ended.code, 2, ended.stderr);
    assert.match(
      ended.stderr,
      /^error: Cannot answer the prompt: \d+ tokens leave no room in a context of 256; nothing was cut$/m,
    );
    assert.equal(ended.stdout, '');
  });

  test('Ctrl-C ends an answer, which stays in the dialogue; at an empty line, as Ctrl-D does, it leaves', async () => {
    const terminal = await onTerminal(place, 72, ['chat', ENDLESS, '--temperature', '0']);
    await terminal.shows(/1000000 tokens of context, temperature 0[\s\S]*> /);
    terminal.type('Who farms what?\r');
    // a whole line of an answer has come
    await terminal.shows(/what\?\s+\S[^\n]{40}/);
    terminal.type(CTRL_C);
    await terminal.shows(/\(stopped\)[\s\S]*> /);
    terminal.type('/back\r');
    await terminal.shows(/the last question and answer are gone[\s\S]*> /);
    terminal.type('/back\r');
    await terminal.shows(/nothing was said yet[\s\S]*> /);
    terminal.type('/what\r');
    await terminal.shows(/There is no command \/what[\s\S]*> /);
    terminal.type(CTRL_D);
    assert.equal(await terminal.ended, 0, terminal.printed());
    const notes = stripVTControlCharacters(terminal.printed()).match(/^(loading|\(|There|Ctrl-C|\/).*$/gm) ?? [];
    assert.ok(notes.length > 5 && notes.every((line) => line.length <= 72), notes.join('\n'));
    // what was laid out for the program is gone with it
    assert.deepEqual(
      (await readdir(place.home)).filter((name) => name.startsWith('talking-')),
      [],
    );
  });

  test('a second Ctrl-C leaves, in the middle of an answer', async () => {
    const terminal = await onTerminal(place, 100, ['chat', ENDLESS, '--compare', ENDLESS, '--temperature', '0']);
    await terminal.shows(/\/help lists[\s\S]*> /);
    terminal.type('Who farms what?\r');
    await terminal.shows(/│[\s\S]*│[\s\S]*│/);
    // the first stops the answers, the next leaves: two at once would be one signal
    const pressing = setInterval(() => terminal.type(CTRL_C), 300);
    const code = await terminal.ended;
    clearInterval(pressing);
    assert.ok(code === 0 || code === 130, terminal.printed());
  });

  test('what is no chat model is refused before anything is loaded', async () => {
    const bare = await mkdtemp(join(tmpdir(), 'zephyr-bare-'));
    await cp(await baseFolder(), bare, { recursive: true, filter: (path) => !path.endsWith('.jinja') });
    const settings = JSON.parse(await readFile(join(bare, 'tokenizer_config.json'), 'utf8'));
    await writeFile(join(bare, 'tokenizer_config.json'), JSON.stringify({ ...settings, chat_template: undefined }));
    const rows = await mkdtemp(join(tmpdir(), 'zephyr-rows-'));
    await writeFile(join(rows, 'rows.jsonl'), '{"prompt": "x"}\n');
    await zephyr(place, 'hub', 'import', bare, '--as', 'hf://models/test/bare');
    await zephyr(place, 'hub', 'import', rows, '--as', 'hf://datasets/test/rows');
    const refused: [string[], number, RegExp][] = [
      [['hf://models/test/bare'], 3, /is no chat model|it is no chat model: its tokenizer has no chat template/],
      [['hf://datasets/test/rows'], 3, /it is a dataset, expected a model/],
      [['hf://models/test/nobody'], 3, /Cannot find "hf:\/\/models\/test\/nobody"/],
      [['nonsense'], 2, /Cannot read the ID "nonsense"/],
      [[BASE, '--temperature', 'hot'], 2, /Cannot use --temperature "hot": expected a number from 0/],
      [[BASE, '--max-tokens', '0'], 2, /Cannot use --max-tokens "0": expected a whole number from 1/],
    ];
    for (const [args, code, message] of refused) {
      const ended = await zephyr(place, 'chat', ...args, '--prompt', 'x');
      assert.match(ended.stderr, message);
      assert.equal(ended.code, code, ended.stderr);
    }
    const nothing = await zephyr(place, 'chat', BASE);
    assert.match(nothing.stderr, /Cannot answer nothing: stdin holds no text/);
  });
});
