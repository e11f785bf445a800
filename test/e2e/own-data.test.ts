import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { assertMistake } from '../rig/mistake.ts';
import { type Ended, missing, newPlace, type Place, python, root, zephyr } from '../rig/zephyr.ts';
import { importFolder } from './early-stop.ts';
import { importBase, type Tiny, writeTiny } from './tiny.ts';

const skip = missing();
const cases = join(root, 'test/fixtures/cases');
const SHORT = ['--set', 'dsft.train.maxSteps=1', '--set', 'dsft.prepare.packing=false'];

interface Source {
  readonly ref: string;
  readonly config?: string;
  readonly train: string;
  readonly test: null;
}

interface JobLine {
  readonly type: string;
  readonly event?: { readonly type: string } & Readonly<Record<string, unknown>>;
}

describe('dialogues of users in zephyr dsft', { skip, concurrency: false }, () => {
  let tiny: Tiny;
  let place: Place;

  before(async () => {
    tiny = await writeTiny();
    place = await newPlace();
    await importBase(place);
  });

  test('are those that datasets reads: of one config, of any column type, after a byte order mark', async () => {
    const files = JSON.parse(await readFile(join(cases, 'two-configs.files.json'), 'utf8')) as Record<string, string>;
    await bring('two-configs', files);
    await bring('marked', { 'train_sft.jsonl': await readFile(join(cases, 'byte-order-mark-dialogues.jsonl')) });
    const typed = await mkdtemp(join(tmpdir(), 'zephyr-types-'));
    await promisify(execFile)(python, [join(cases, 'column-types.py'), typed]);
    const kinds = (await readdir(typed)).sort();
    for (const kind of kinds) await importFolder(place, join(typed, kind), `hf://datasets/test/${kind}`);
    const sources = ['two-configs', 'marked', ...kinds].map((name) => source(name));
    const ended = await dsft([...sources, { ...source('two-configs'), config: 'birds' }], '--json');
    assert.equal(ended.code, 0, ended.stderr);
    // eight of each, and four of the config that is named
    assert.deepEqual(read(ended), [8 * (2 + kinds.length) + 4]);
    assert.deepEqual(kinds, ['bytes', 'date', 'decimal', 'nan', 'time']);
  });

  test('of several shapes lose no row beside each other', async () => {
    const turns = (bed: number) => [
      { role: 'user', content: `Which soil suits bed ${bed}?` },
      { role: 'assistant', content: 'Loam.' },
    ];
    const plain = [0, 1, 2].map((bed) => ({ messages: turns(bed) }));
    // one key more in one message: datasets stores such a column as JSON
    const more = [3, 4, 5].map((bed) => ({
      messages: bed === 4 ? turns(bed).map((turn) => ({ ...turn, name: 'x' })) : turns(bed),
    }));
    const sharegpt = [6, 7, 8].map((bed) => ({
      conversations: turns(bed).map(({ role, content }) => ({ from: role === 'user' ? 'human' : 'gpt', value: content })),
    }));
    for (const [name, rows] of Object.entries({ plain, more, sharegpt }))
      await bring(name, { 'train_sft.jsonl': rows.map((row) => `${JSON.stringify(row)}\n`).join('') });
    const ended = await dsft(
      ['plain', 'more', 'sharegpt'].map((name) => source(name)),
      '--json',
    );
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(read(ended), [9]);
    assert.doesNotMatch(ended.stdout, /"type":"dropped"/);
  });

  test('that cannot be used are told by reason, and are a mistake above the share of the recipe', async () => {
    await bring('dropped', { 'train_sft.jsonl': await readFile(join(cases, 'dropped-dialogues.jsonl')) });
    const lost = '4 ends with a user turn, 4 two user turns in a row';
    const ended = await dsft([source('dropped')]);
    assertMistake(ended, 2, /8 of 16 rows would be left out, more than the share of 0\.05 that maxDropped allows/);
    assert.match(ended.stderr, new RegExp(`\\(${lost}\\), for example row 1\\d: \\{"messages"`));
    assert.match(
      ended.stderr,
      new RegExp(
        `8 of 16 rows of split "train_sft" of hf://datasets/test/dropped@\\w{40} cannot be used and are left out: ${lost}`,
      ),
    );
    const allowed = await dsft([source('dropped')], '--set', 'dsft.prepare.maxDropped=0.5');
    assert.equal(allowed.code, 0, allowed.stderr);
    assert.match(allowed.stderr, /8 of 16 rows of split "train_sft" .* are left out/);
  });

  test('in a broken file are a mistake that names file, line and column', async () => {
    const good = (await readFile(join(cases, 'dropped-dialogues.jsonl'), 'utf8')).split('\n').slice(0, 3);
    await bring('broken', { 'data/train_sft.jsonl': `${good.join('\n')}\n{"messages": oops}\n` });
    const ended = await dsft([source('broken')]);
    assertMistake(
      ended,
      2,
      /Cannot read line 4, column 14, of "data\/train_sft\.jsonl" of the dataset "hf:\/\/datasets\/test\/broken@/,
    );
    assert.doesNotMatch(ended.stderr, /job\.json|Traceback/);
  });

  async function bring(name: string, files: Readonly<Record<string, string | Buffer>>): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-data-'));
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    }
    await importFolder(place, folder, `hf://datasets/test/${name}`);
  }

  function dsft(datasets: readonly Source[], ...more: readonly string[]): Promise<Ended> {
    const data = `dsft.data=${JSON.stringify({ source: 'datasets', datasets })}`;
    return zephyr(place, 'dsft', tiny.recipe, '--on', tiny.on('process'), '--set', data, ...SHORT, ...more);
  }
});

function source(name: string): Source {
  return { ref: `hf://datasets/test/${name}`, train: 'train_sft', test: null };
}

/** Rows of the training split that prepare read and kept. */
function read({ stdout }: Ended): unknown[] {
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as JobLine);
  const data = lines.flatMap(({ event }) => (event?.type === 'data' && event.split === 'train' ? [event] : []));
  return data.map((event) => (event.read === event.rows ? event.rows : event));
}
