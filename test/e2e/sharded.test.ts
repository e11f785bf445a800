import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { startPractice } from '../rig/practice.ts';
import { missing, newPlace, zephyr } from '../rig/zephyr.ts';
import { killAt, killJobs, unfinished } from './kill-at.ts';
import { published } from './published.ts';
import { importBase, writeTiny } from './tiny.ts';

const TARGET = `
backend: process
hardware: {device: cpu, processes: PROCESSES, sharding: SHARDING, threads: 1, microBatch: {dsft: MICRO, ddpo: 1}}
cadence: {logSteps: 4}
`;

test('dsft sharded over two processes is killed, and one process goes on and says what differs', {
  skip: missing(),
}, async (t) => {
  const tiny = await writeTiny();
  const practice = await startPractice(7);
  t.after(() => practice.stop());
  const place = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
  await importBase(place);
  const on = async (processes: number, sharding: string) => {
    const path = join(dirname(tiny.recipe), `${sharding}-${processes}.yaml`);
    const target = TARGET.replace('PROCESSES', `${processes}`).replace('SHARDING', sharding);
    await writeFile(path, target.replace('MICRO', `${8 / processes}`));
    return path;
  };
  const kill = async () => assert.ok(await killJobs(place), 'there was a job to kill');
  const two = await on(2, 'fsdp2');
  await killAt(
    place,
    ['dsft', tiny.recipe, '--on', two],
    /dsft\/train .*checkpoint at step/,
    async (child) => {
      child.kill('SIGKILL');
      await kill();
    },
    /dsft\/train {2}runs as/,
  );
  const run = await unfinished(place);
  const resumed = await zephyr(place, 'resume', run, '--on', await on(1, 'none'));
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.match(resumed.stderr, /resumed at step \d+ with 1 \(sharding none\) what 2 processes \(sharding fsdp2\) had saved/);
  const [name = ''] = (await readdir(join(place.home, 'jobs'))).filter((folder) => run.includes(folder));
  const [first = '', ...later] = (await readdir(join(place.home, 'jobs', name)))
    .filter((job) => job.startsWith('train-e'))
    .sort();
  assert.equal(later.length, 1);
  const job = JSON.parse(await readFile(join(place.home, 'jobs', name, first, 'job.json'), 'utf8'));
  assert.deepEqual([job.hardware.processes, job.hardware.sharding], [2, 'fsdp2']);
  // processes and sharding are no part of what makes it this artifact
  const again = await zephyr(place, 'dsft', tiny.recipe, '--on', two);
  assert.match(again.stderr, /dsft\/train .*reused/);
  assert.deepEqual(await published(place, again), await published(place, resumed));
});
