import assert from 'node:assert/strict';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Practice, startPractice } from '../rig/practice.ts';
import { type Ended, missing, newPlace, type Place, start, zephyr } from '../rig/zephyr.ts';
import { importBase, type Tiny, writeTiny } from './tiny.ts';

const skip = missing();

/** What is killed, and at what sign of life: a line that the plain renderer prints. */
const KILLS: readonly { readonly name: string; readonly at: RegExp; readonly what: 'zephyr' | 'job' | 'both' }[] = [
  { name: 'zephyr while dialogues are made', at: /dsft\/construct {2}started/, what: 'zephyr' },
  { name: 'zephyr while dsft is trained', at: /dsft\/train .*checkpoint at step 8/, what: 'zephyr' },
  { name: 'the training process of dsft', at: /dsft\/train .*checkpoint at step 12/, what: 'job' },
  { name: 'both in the preparation', at: /dsft\/prepare {2}runs as/, what: 'both' },
  { name: 'zephyr while answers are bought', at: /aif\/generate {2}started/, what: 'zephyr' },
  { name: 'zephyr while answers are judged', at: /aif\/judge {2}started/, what: 'zephyr' },
  { name: 'both while ddpo is trained', at: /ddpo\/train .*checkpoint at step 8/, what: 'both' },
];

describe('a run that is killed and resumed ends in the same bits', { skip, concurrency: false }, () => {
  let tiny: Tiny;
  let whole: Map<string, string>;
  let practice: Practice;

  before(async () => {
    tiny = await writeTiny();
    practice = await startPractice(7);
    const place = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
    await importBase(place);
    const ended = await zephyr(place, 'run', tiny.recipe, '--on', tiny.on('process'));
    assert.equal(ended.code, 0, ended.stderr);
    whole = await digests(place, ended);
  });
  after(async () => await practice?.stop());

  for (const { name, at, what } of KILLS) {
    test(`killed: ${name}`, async () => {
      const own = await startPractice(7);
      const place = await newPlace({ ZEPHYR_PRACTICE_URL: own.url });
      try {
        await importBase(place);
        await killAt(place, tiny, at, what);
        let ended: Ended;
        for (let attempt = 0; ; attempt += 1) {
          ended = await zephyr(place, 'resume', await unfinished(place));
          if (ended.code === 0 || attempt === 3) break;
        }
        assert.equal(ended.code, 0, ended.stderr);
        assert.deepEqual(await digests(place, await zephyr(place, 'run', tiny.recipe, '--on', tiny.on('process'))), whole);
        const keys = await own.answered();
        assert.deepEqual(keys.filter((key, index) => keys.indexOf(key) !== index), [], 'no answered call is asked again');
      } finally {
        await own.stop();
      }
    });
  }

  test('killed again and again at random moments', async () => {
    const own = await startPractice(7);
    const place = await newPlace({ ZEPHYR_PRACTICE_URL: own.url });
    try {
      await importBase(place);
      let kills = 0;
      for (let round = 0; round < 12; round += 1) {
        const id = round === 0 ? undefined : await unfinished(place).catch(() => undefined);
        const running = await start(place, id === undefined ? ['run', tiny.recipe, '--on', tiny.on('process')] : ['resume', id]);
        const moment = 2000 + Math.random() * 9000;
        const first = await Promise.race([running.ended.then(() => 'ended'), sleep(moment, 'time')]);
        if (first === 'ended') break;
        if (round % 3 !== 0) await killJobs(place);
        if (round % 3 !== 1) running.child.kill('SIGKILL');
        kills += 1;
        await Promise.race([running.ended, sleep(20_000)]);
        running.child.kill('SIGKILL');
        await running.ended;
      }
      assert.ok(kills > 2, `killed ${kills} times`);
      for (let attempt = 0; attempt < 4; attempt += 1) {
        const id = await unfinished(place).catch(() => undefined);
        if (id === undefined) break;
        await zephyr(place, 'resume', id);
      }
      const last = await zephyr(place, 'run', tiny.recipe, '--on', tiny.on('process'));
      assert.equal(last.code, 0, last.stderr);
      assert.deepEqual(await digests(place, last), whole);
      const keys = await own.answered();
      assert.equal(new Set(keys).size, keys.length, 'no answered call is asked again');
    } finally {
      await own.stop();
    }
  });
});

/** Starts a run and kills when the line is printed. */
async function killAt(place: Place, tiny: Tiny, at: RegExp, what: 'zephyr' | 'job' | 'both'): Promise<void> {
  const { child, ended } = await start(place, ['run', tiny.recipe, '--on', tiny.on('process')]);
  let printed = '';
  const seen = Promise.withResolvers<void>();
  child.stderr?.on('data', (data: Buffer) => {
    printed += data;
    if (at.test(printed)) seen.resolve();
  });
  const first = await Promise.race([seen.promise.then(() => undefined), ended]);
  assert.equal(first, undefined, `ended before ${at}: ${first?.stderr}`);
  if (what !== 'job') child.kill('SIGKILL');
  if (what !== 'zephyr') await killJobs(place);
  if (what === 'job') child.kill('SIGKILL');
  await ended;
}

/** SIGKILL to every process that belongs to a job of this place: supervisors and ranks. */
async function killJobs(place: Place): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    if (cwd.startsWith(join(place.home, 'jobs'))) process.kill(Number(pid), 'SIGKILL');
  }
}

/** The ID of the run that is not at its end. */
async function unfinished(place: Place): Promise<string> {
  const ended = await zephyr(place, 'status', '--json');
  const runs = JSON.parse(ended.stdout) as { id: string; phase: string }[];
  const open = runs.find(({ phase }) => phase !== 'done');
  assert.ok(open, `no unfinished run among ${ended.stdout}`);
  return open.id;
}

/** Content digest of what each stage published. */
async function digests(place: Place, ended: Ended): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const id of ended.stdout.trim().split('\n')) {
    const inspected = JSON.parse((await zephyr(place, 'inspect', id, '--json')).stdout) as { manifest: { stage: string; digest: string } };
    found.set(inspected.manifest.stage, inspected.manifest.digest);
  }
  return found;
}
