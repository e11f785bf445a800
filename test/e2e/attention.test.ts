import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { type Ended, missing, newPlace, type Place, runsAt, zephyr } from '../rig/zephyr.ts';
import { IMAGE, withoutImage } from './containers.ts';
import { importBase, type Tiny, writeTiny } from './tiny.ts';

const skip = missing();
/** With bfloat16, which flash attention asks for. */
const FLASH = ['--set', 'dsft.train.attention=flash_attention_2', '--set', 'dsft.train.dtype=bfloat16'];

describe('an attention that is not there', { skip, concurrency: false }, () => {
  let tiny: Tiny;
  let place: Place;
  let cache: string;

  before(async () => {
    tiny = await writeTiny(IMAGE);
    cache = await mkdtemp(join(tmpdir(), 'zephyr-cache-'));
    // nobody listens there: a call would fail, and none is made
    place = await newPlace({ ZEPHYR_PRACTICE_URL: 'http://127.0.0.1:9', XDG_CACHE_HOME: cache });
    await importBase(place);
  });

  /** A target that names the device of this machine otherwise than it is. */
  async function onGpu(backend: 'process' | 'docker'): Promise<string> {
    const file = join(await mkdtemp(join(tmpdir(), 'zephyr-target-')), 'gpu.yaml');
    const text = await readFile(tiny.on(backend), 'utf8');
    await writeFile(file, text.replace('device: cpu', 'device: cuda'));
    return file;
  }

  async function refused(ended: Ended, message: RegExp, hint: RegExp): Promise<void> {
    assert.equal(ended.code, 3, ended.stderr);
    assert.match(ended.stderr, message);
    assert.match(ended.stderr, hint);
    assert.deepEqual(await runsAt(place), [], 'no run was begun');
    const laid = await readdir(join(place.home, 'jobs')).catch(() => []);
    assert.deepEqual(
      laid.filter((name) => name.startsWith('run-')),
      [],
      'no job was laid out',
    );
  }

  async function kept(): Promise<string[]> {
    const folder = join(cache, 'zephyr', 'capabilities');
    const names = await readdir(folder).catch(() => []);
    return await Promise.all(names.map(async (name) => `${name} ${(await stat(join(folder, name))).mtimeMs}`));
  }

  test('is refused on a CPU before any job, by plan and by run, whatever is installed', async () => {
    for (const verb of ['plan', 'run']) {
      const ended = await zephyr(place, verb, tiny.recipe, '--on', tiny.on('process'), ...FLASH);
      await refused(
        ended,
        /Cannot run dsft\/train with the attention "flash_attention_2" on a CPU: its kernels need a GPU/,
        /set dsft\.train\.attention to auto/,
      );
    }
    assert.deepEqual(await kept(), [], 'nobody was asked');
  });

  test('is refused in a Python that lacks it, with what brings it; the answer is kept', async () => {
    const on = await onGpu('process');
    const wanted = /Python at ".*" does not bring it \(the package flash-attn is not installed; the package kernels is not/;
    await refused(
      await zephyr(place, 'run', tiny.recipe, '--on', on, ...FLASH),
      wanted,
      /pip install -r .*requirements-gpu\.txt/,
    );
    const first = await kept();
    assert.equal(first.length, 1);
    await refused(await zephyr(place, 'plan', tiny.recipe, '--on', on, ...FLASH), wanted, /or bring it there/);
    assert.deepEqual(await kept(), first);
  });

  test('is refused in numbers that it does not compute in', async () => {
    const flash = FLASH.slice(0, 2);
    await refused(
      await zephyr(place, 'run', tiny.recipe, '--on', await onGpu('process'), ...flash),
      /with the attention "flash_attention_2" in float32: its kernels compute in bfloat16/,
      /or to sdpa/,
    );
  });

  test('of a recipe that says auto is no fault, a GPU that is not there is', async () => {
    await refused(
      await zephyr(place, 'run', tiny.recipe, '--on', await onGpu('process')),
      /Cannot run dsft\/train on a GPU: PyTorch 2\.\S+ of Python at ".*" sees none/,
      /hardware\.device/,
    );
    assert.equal((await kept()).length, 1, 'an answer without a GPU is not kept');
    const planned = await zephyr(place, 'plan', tiny.recipe, '--on', await onGpu('process'));
    assert.equal(planned.code, 0, planned.stderr);
  });

  test('is refused in an image that lacks it, which is asked once', { skip: withoutImage() ?? false }, async () => {
    const on = await onGpu('docker');
    const wanted = /image "\S+" does not bring it \(the package flash-attn is not installed/;
    const before = await kept();
    await refused(await zephyr(place, 'run', tiny.recipe, '--on', on, ...FLASH), wanted, /build the image on a base with CUDA/);
    const first = await kept();
    assert.equal(first.length, before.length + 1);
    await refused(await zephyr(place, 'plan', tiny.recipe, '--on', on, ...FLASH), wanted, /docker build/);
    assert.deepEqual(await kept(), first);
  });
});
