import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { sha256 } from '../../src/base/sha256.ts';
import { readCommit } from '../../src/store/objects.ts';
import { readRef } from '../../src/store/refs.ts';
import { openStore, repoFolder } from '../../src/store/store.ts';
import { findEntry } from '../../src/store/tree.ts';
import { assertMistake } from '../rig/mistake.ts';
import { startPractice } from '../rig/practice.ts';
import { damage, flipped, storedFiles } from '../rig/stored-files.ts';
import { type Ended, missing, newPlace, type Place, zephyr } from '../rig/zephyr.ts';
import { importFolder, stopStage, WEIGHTS } from './early-stop.ts';
import { importBase, type Tiny, writeTiny } from './tiny.ts';

const skip = missing();
const run = promisify(execFile);
/** Kilobytes added to the disk between two attempts. */
const MORE_KB = 250;

describe('damaged data is never used, and nothing is lost by refusing it', { skip, concurrency: false }, () => {
  let tiny: Tiny;
  before(async () => {
    tiny = await writeTiny();
  });

  for (const [how, change] of [
    ['one flipped bit', flipped],
    ['a cut end', (bytes: Buffer) => bytes.subarray(0, -8)],
  ] as const) {
    test(`an input with ${how} in the store is refused when it is used`, async () => {
      const place = await newPlace();
      const args = await stopStage(place, tiny);
      const file = (await storedFiles(place)).find((path) => basename(path) === sha256(WEIGHTS));
      assert.ok(file, 'the weights are in the store');
      await damage(file, change);
      const ended = await zephyr(place, ...args);
      assertMistake(ended, 3, /^error: Cannot use "?hf:\/\/models\/test\/hollow@.*"model\.safetensors"/m, /zephyr resume hf:/);
      assert.doesNotMatch(ended.stderr, /prepare {2}runs as/, 'no job has seen it');
    });
  }

  test('an output with a flipped bit is not used again but made again', async () => {
    const place = await newPlace();
    const args = await stopStage(place, tiny);
    const before = new Set(await storedFiles(place));
    const first = await zephyr(place, ...args);
    const published = (await storedFiles(place)).find((path) => !before.has(path)) ?? '';
    assert.match(await again(place, args), /dsft\/construct {2}reused/);
    await damage(published, flipped);
    const warned = await again(place, args);
    assert.match(warned, /warning: Cannot use .*expected.*; dsft\/construct is made again/);
    assert.match(warned, /dsft\/construct {2}done .*\n/);
    const after = await again(place, args);
    assert.match(after, /dsft\/construct {2}reused/, 'what was made again is whole');
    assert.equal(first.code, 2);
  });

  test('an output whose own record is spoilt is made again, once', async () => {
    const place = await newPlace();
    const args = await stopStage(place, tiny);
    await zephyr(place, ...args);
    const store = await openStore(join(place.home, 'hub'));
    const repo = repoFolder(store, { type: 'dataset', name: 'test/tiny-dialogues' });
    const commit = await readCommit(repo, (await readRef(repo, 'heads', 'main')) ?? '');
    for (const name of ['zephyr.json', 'README.md']) {
      const id = (await findEntry(store, repo, commit?.tree ?? '', name))?.id ?? '';
      await damage(join(repo, 'objects', id.slice(0, 2), id.slice(2)), flipped);
    }
    assert.match(await again(place, args), /warning: Cannot use .*"zephyr\.json".*; dsft\/construct is made again/);
    assert.match(await again(place, args), /dsft\/construct {2}reused/);
  });

  test('a cut safetensors file is not imported', async () => {
    const place = await newPlace();
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-cut-'));
    await writeFile(join(folder, 'model.safetensors'), WEIGHTS.subarray(0, -1));
    const ended = await zephyr(place, 'hub', 'import', folder, '--as', 'hf://models/test/cut');
    assertMistake(
      ended,
      2,
      /Cannot import ".*model\.safetensors", it is not a whole safetensors file: its tensors need 16 bytes and it holds 15/,
    );
    assert.match((await zephyr(place, 'hub', 'ls', '--json')).stdout, /"repos":\[\]/);
  });

  test('a folder that the disk of the Hub cannot hold is not imported, not even in part', async (t) => {
    const place = await newPlace();
    if (!(await resize(place, 400, 'size'))) return t.skip("a file system of one's own cannot be mounted here");
    t.after(() => run('umount', [place.home]));
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-large-'));
    await writeFile(join(folder, 'config.json'), '{}\n');
    await writeFile(join(folder, 'rows.npz'), Buffer.alloc(100_000, 1));
    await writeFile(join(folder, 'vectors.npy'), Buffer.alloc(1_000_000, 2));
    const args = ['hub', 'import', folder, '--as', 'hf://datasets/test/large'];
    const full = /^error: Cannot write to the Hub folder ".*": no space left on the disk/m;
    assertMistake(
      await zephyr(place, ...args),
      75,
      full,
      /nothing half-written was published; free some space and run the command/,
    );
    assert.match((await zephyr(place, 'hub', 'ls', '--json')).stdout, /"repos":\[\]/);
    for (const name of ['tmp', 'locks']) assert.deepEqual(await readdir(join(place.home, 'hub', name)), [], name);
    assert.ok(await resize(place, 2000, 'remount,size'));
    assert.match((await zephyr(place, ...args)).stdout, /^hf:\/\/datasets\/test\/large@[0-9a-f]{40}$/m);
  });

  test('a disk without any space at all is told as such, whatever is written first', async (t) => {
    const place = await newPlace();
    if (!(await resize(place, 64, 'size'))) return t.skip("a file system of one's own cannot be mounted here");
    t.after(() => run('umount', [place.home]));
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-small-'));
    await writeFile(join(folder, 'config.json'), '{}\n');
    const args = ['hub', 'import', folder, '--as', 'hf://models/test/small'];
    for (let left = 64; left >= 0; left -= 4) {
      const filler = join(place.home, 'filler');
      await writeFile(filler, '');
      await run('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1k', `count=${64 - left}`]).catch(() => undefined);
      const { code, stderr } = await zephyr(place, ...args);
      if (code === 0) {
        await rm(join(place.home, 'hub'), { recursive: true });
        continue;
      }
      assert.equal(code, 75, stderr);
      assert.match(stderr, /no space left on the disk/);
      await rm(filler);
      for (const name of ['tmp', 'locks']) {
        const found = await readdir(join(place.home, 'hub', name)).catch(() => []);
        assert.deepEqual(found, [], `${name} with ${left} KB left`);
      }
      assert.equal((await zephyr(place, ...args)).code, 0, `with ${left} KB left, and then more`);
      await rm(join(place.home, 'hub'), { recursive: true });
    }
  });

  test('a data set without the columns, or with other rows than the recipe says, is named with what was found', async () => {
    const place = await newPlace();
    await importBase(place);
    const args = ['dsft', tiny.recipe, '--on', tiny.on('process')];
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-rows-'));
    const rows = (row: unknown) => `${JSON.stringify(row)}\n`.repeat(4);
    await writeFile(join(folder, 'other.jsonl'), rows({ question: 'q', answer: 'a' }));
    const messages = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a' },
    ];
    await writeFile(join(folder, 'right.jsonl'), rows({ messages }));
    await importFolder(place, folder, 'hf://datasets/test/rows');
    const from = (fields: string) =>
      zephyr(
        place,
        ...args,
        '--set',
        `dsft.data={source: datasets, datasets: [{ref: "hf://datasets/test/rows", test: null, ${fields}}]}`,
      );
    const name = '"hf://datasets/test/rows@[0-9a-f]{40}"';
    assertMistake(
      await from('train: other'),
      2,
      new RegExp(`^error: .*${name}.* found the columns question, answer, expected messages`, 'm'),
    );
    assertMistake(
      await from('train: none'),
      2,
      /^error: .*"hf:\/\/datasets\/test\/rows" .*split "none": expected train$/m,
      /holds other\.jsonl, right\.jsonl/,
    );
    assertMistake(
      await from('train: right, rows: {right: 5}'),
      2,
      new RegExp(`^error: .*${name}.*\\b4\\b.*\\b5\\b|^error: .*${name}.*\\b5\\b.*\\b4\\b`, 'm'),
    );
  });

  test('a disk that is full again and again: a resumable status each time, nothing half published, nothing paid twice', async (t) => {
    const practice = await startPractice(7);
    t.after(practice.stop);
    const place = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
    const args = await stopStage(await newPlace(), tiny);
    if (!(await resize(place, 100, 'size'))) return t.skip("a file system of one's own cannot be mounted here");
    t.after(() => run('umount', [place.home]));
    await stopStage(place);
    let ended: Ended | undefined;
    let id: string | undefined;
    let refusals = 0;
    for (let kb = 100 + MORE_KB; kb < 100 + 40 * MORE_KB; kb += MORE_KB) {
      assert.ok(await resize(place, kb, 'remount,size'));
      ended = await zephyr(place, ...(id === undefined ? args : ['resume', id]));
      if (ended.code === 2) break;
      assertMistake(ended, 75, /no space left on the disk/, /free some space/);
      refusals += 1;
      id ??= /zephyr resume (hf:\S+)/.exec(ended.stderr)?.[1];
      const found = await zephyr(place, 'inspect', 'hf://datasets/test/tiny-dialogues', '--json');
      assert.ok(found.code === 3 || found.code === 0, found.stderr);
    }
    assert.ok(refusals > 3, `refused ${refusals} times`);
    assert.equal(ended?.code, 2, ended?.stderr);
    assert.match(ended.stderr, /tokenizer\.json/);
    const keys = await practice.answered();
    assert.equal(new Set(keys).size, keys.length, 'no answered call is asked again');
  });
});

async function again(place: Place, args: readonly string[]): Promise<string> {
  return (await zephyr(place, ...args)).stderr;
}

/** A file system of so many kilobytes at the place's home; false when this machine permits none. */
async function resize(place: Place, kb: number, option: string): Promise<boolean> {
  return await run('mount', ['-t', 'tmpfs', '-o', `${option}=${kb}k`, 'zephyr-test', place.home]).then(
    () => true,
    () => false,
  );
}
