import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { type Practice, startPractice } from '../rig/practice.ts';
import { missing, newPlace, type Place, zephyr } from '../rig/zephyr.ts';
import { containers, IMAGE, killContainers, withoutImage } from './containers.ts';
import { killAt, unfinished } from './kill-at.ts';
import { type Published, published } from './published.ts';
import { importBase, type Tiny, writeTiny } from './tiny.ts';

const skip = missing() ?? withoutImage();

describe('jobs in containers', { skip, concurrency: false }, () => {
  let tiny: Tiny;
  let practice: Practice;
  let bare: readonly Published[];

  before(async () => {
    tiny = await writeTiny(IMAGE);
    practice = await startPractice(7);
    const place = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
    await importBase(place);
    bare = await published(place, await zephyr(place, 'run', tiny.recipe, '--on', tiny.on('process')));
  });
  after(async () => await practice?.stop());

  test('give the fingerprints and the weights of bare processes, with a container killed on the way', async () => {
    const own = await startPractice(7);
    const place = await newPlace({ ZEPHYR_PRACTICE_URL: own.url });
    try {
      await importBase(place);
      const kill = async (child: ChildProcess) => {
        child.kill('SIGKILL');
        await killContainers(place);
      };
      const args = ['run', tiny.recipe, '--on', tiny.on('docker')];
      await killAt(place, args, /dsft\/train .*checkpoint at step/, kill, /dsft\/train {2}runs as/);
      const resumed = await zephyr(place, 'resume', await unfinished(place));
      assert.equal(resumed.code, 0, resumed.stderr);
      assert.deepEqual(await published(place, await zephyr(place, 'run', tiny.recipe, '--on', tiny.on('docker'))), bare);
      const keys = await own.answered();
      assert.equal(new Set(keys).size, keys.length, 'no answered call is asked again');
      assert.deepEqual(await containers(place), [], 'no container is left');
    } finally {
      await own.stop();
    }
  });

  test('go on when zephyr is killed, and are adopted', async () => {
    const place: Place = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
    await importBase(place);
    await killAt(
      place,
      ['dsft', tiny.recipe, '--on', tiny.on('docker')],
      /dsft\/train {2}runs as/,
      async (child) => void child.kill('SIGKILL'),
    );
    assert.equal((await containers(place)).length, 1);
    const resumed = await zephyr(place, 'resume', await unfinished(place));
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(resumed.stderr, /already runs as docker/);
    assert.deepEqual(await published(place, resumed), bare.slice(0, 1));
  });
});
