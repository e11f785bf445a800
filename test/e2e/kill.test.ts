import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Practice, startPractice } from '../rig/practice.ts';
import { type Ended, missing, newPlace, start, zephyr } from '../rig/zephyr.ts';
import { IMAGE, killContainers, withoutImage } from './containers.ts';
import { killAt, killJobs, printedLines, unfinished } from './kill-at.ts';
import { type Published, published } from './published.ts';
import { importBase, type Tiny, writeTiny } from './tiny.ts';

const skip = missing();

/**
 * What is killed, and at what sign of life: a line that the plain renderer prints. Of checkpoints the first that is told
 * of: on a fast machine the trainer deletes the next one before it is taken over, and no line names it. A training that
 * is to be killed is kept from ending first: that may take it less time than it takes to kill it.
 */
const KILLS: readonly {
  readonly name: string;
  readonly at: RegExp;
  readonly what: 'zephyr' | 'job' | 'both';
  readonly endless?: RegExp;
}[] = [
  { name: 'zephyr while dialogues are made', at: /dsft\/construct {2}started/, what: 'zephyr' },
  { name: 'zephyr while dsft is trained', at: /dsft\/train .*checkpoint at step/, what: 'zephyr' },
  {
    name: 'the training process of dsft',
    at: /dsft\/train .*checkpoint at step/,
    what: 'job',
    endless: /dsft\/train {2}runs as/,
  },
  { name: 'both in the preparation', at: /dsft\/prepare {2}runs as/, what: 'both' },
  { name: 'zephyr while answers are bought', at: /aif\/generate {2}started/, what: 'zephyr' },
  { name: 'zephyr while answers are judged', at: /aif\/judge {2}started/, what: 'zephyr' },
  {
    name: 'both while ddpo is trained',
    at: /ddpo\/train .*checkpoint at step/,
    what: 'both',
    endless: /ddpo\/train {2}runs as/,
  },
];

describe('a run that is killed and resumed ends in the same bits', { skip, concurrency: false }, () => {
  let tiny: Tiny;
  let whole: readonly Published[];
  let practice: Practice;

  before(async () => {
    tiny = await writeTiny(IMAGE);
    practice = await startPractice(7);
    const place = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
    await importBase(place);
    const ended = await zephyr(place, 'run', tiny.recipe, '--on', tiny.on('process'));
    whole = await published(place, ended);
  });
  after(async () => await practice?.stop());

  for (const { name, at, what, endless } of KILLS) {
    test(`killed: ${name}`, async () => {
      const own = await startPractice(7);
      const place = await newPlace({ ZEPHYR_PRACTICE_URL: own.url });
      try {
        await importBase(place);
        const kill = async (child: ChildProcess) => {
          if (what !== 'job') child.kill('SIGKILL');
          if (what !== 'zephyr') assert.ok(await killJobs(place), 'there was a job to kill');
          if (what === 'job') child.kill('SIGKILL');
        };
        await killAt(place, ['run', tiny.recipe, '--on', tiny.on('process')], at, kill, endless);
        let ended: Ended;
        for (let attempt = 0; ; attempt += 1) {
          ended = await zephyr(place, 'resume', await unfinished(place));
          if (ended.code === 0 || attempt === 3) break;
        }
        assert.equal(ended.code, 0, ended.stderr);
        assert.deepEqual(await published(place, await zephyr(place, 'run', tiny.recipe, '--on', tiny.on('process'))), whole);
        const keys = await own.answered();
        assert.deepEqual(
          keys.filter((key, index) => keys.indexOf(key) !== index),
          [],
          'no answered call is asked again',
        );
      } finally {
        await own.stop();
      }
    });
  }

  for (const backend of ['process', 'docker'] as const)
    test(`killed again and again at random moments, as ${backend}`, {
      skip: backend === 'docker' ? withoutImage() : false,
    }, async () => {
      const own = await startPractice(7);
      const place = await newPlace({ ZEPHYR_PRACTICE_URL: own.url });
      try {
        await importBase(place);
        let kills = 0;
        for (let round = 0; round < 10; round += 1) {
          const id = round === 0 ? undefined : await unfinished(place).catch(() => undefined);
          const running = await start(place, id === undefined ? ['run', tiny.recipe, '--on', tiny.on(backend)] : ['resume', id]);
          const first = await Promise.race([running.ended, printedLines(running.child, 1 + Math.floor(Math.random() * 6))]);
          if (first !== undefined) break;
          // at any moment, but so early that there is something left to kill in the rounds that follow
          await Promise.race([sleep(Math.random() * 500), printedLines(running.child, 3)]);
          if (round % 3 !== 0) await (backend === 'docker' ? killContainers(place) : killJobs(place));
          if (round % 3 !== 1) running.child.kill('SIGKILL');
          kills += 1;
          await Promise.race([running.ended, printedLines(running.child, 6)]);
          running.child.kill('SIGKILL');
          await running.ended;
        }
        assert.ok(kills > 2, `killed ${kills} times`);
        for (let attempt = 0; attempt < 4; attempt += 1) {
          const id = await unfinished(place).catch(() => undefined);
          if (id === undefined) break;
          await zephyr(place, 'resume', id);
        }
        const last = await zephyr(place, 'run', tiny.recipe, '--on', tiny.on(backend));
        assert.equal(last.code, 0, last.stderr);
        assert.deepEqual(await published(place, last), whole);
        const keys = await own.answered();
        assert.equal(new Set(keys).size, keys.length, 'no answered call is asked again');
      } finally {
        await own.stop();
      }
    });
});
