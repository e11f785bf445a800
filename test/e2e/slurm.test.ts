import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { until } from '../rig/job-rig.ts';
import { missingSlurm, sharedConf, slurm } from '../rig/slurm.ts';
import { CANARY, missing, newPlace, type Place, start, zephyr } from '../rig/zephyr.ts';
import { importBase, writeTiny } from './tiny.ts';

const skip = missing() ?? missingSlurm() ?? false;
const ID = /hf:\/\/models\/test\/tiny-dsft@run-[0-9a-z]{26}/;
/** More steps than any machine takes before it is told to stop. */
const ENDLESS = ['--set', 'dsft.train.maxSteps=1000000', '--set', 'dsft.train.epochs=1000000'];

const { recipe } = await writeTiny();

async function cluster(options: string, hardware = 'nodes: 1'): Promise<string> {
  const file = join(dirname(recipe), `slurm-${Math.random()}.yaml`);
  const micro = '{dsft: 4, ddpo: 2}';
  await writeFile(
    file,
    `backend: slurm\noptions: ${options}\nhardware: {device: cpu, threads: 1, ${hardware}, microBatch: ${micro}}\ncadence: {logSteps: 4}\n`,
  );
  return file;
}

async function placeWithBase(): Promise<Place> {
  const place = await newPlace({ SLURM_CONF: sharedConf });
  await importBase(place);
  return place;
}

/** Jobs of the run that wait or work. */
function jobsOf(run: string): string[] {
  const { stdout } = slurm(sharedConf, 'squeue', '--noheader', '--format=%j %T');
  return stdout.split('\n').filter((line) => line.includes(run) && !line.includes('COMPLETING'));
}

const runOf = (id: string) => id.slice(id.indexOf('@') + 1);

describe('zephyr on a cluster', { skip, concurrency: 3 }, () => {
  it('trains on two nodes after its terminal has gone, once however often it is asked', async () => {
    const place = await placeWithBase();
    const on = await cluster('{}', 'nodes: 2');
    const ids = [];
    for (const _ of [1, 2]) {
      const { code, stdout, stderr } = await zephyr(place, 'dsft', recipe, '--on', on, '--detach');
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^Job \d+ on zephyr-\d+ (is|was) submitted/m);
      ids.push(stdout.trim());
    }
    const [id = ''] = ids;
    assert.match(id, ID);
    assert.deepEqual(ids, [id, id]);
    assert.ok(jobsOf(runOf(id)).filter((job) => job.includes('-zephyr-')).length <= 1);
    const attached = await zephyr(place, 'dsft', recipe, '--on', on);
    assert.equal(attached.code, 6);
    assert.match(attached.stderr, /job \d+ on zephyr-\d+ works on it/);

    // as when its node fails: the job is started again
    const [, driver = ''] = /job (\d+) on/.exec(attached.stderr) ?? [];
    await until(
      'the driver works',
      async () => JSON.parse((await zephyr(place, 'status', id, '--json')).stdout).events.length > 2,
    );
    assert.equal(slurm(sharedConf, 'scontrol', 'requeue', driver).status, 0);
    const { code, stdout } = await zephyr(place, 'wait', id);
    assert.equal(code, 0);
    assert.match(slurm(sharedConf, 'scontrol', 'show', 'job', driver).stdout, /Restarts=1/);
    assert.match(stdout, /^hf:\/\/models\/test\/tiny-dsft@[0-9a-f]{40}$/m);
    const status = JSON.parse((await zephyr(place, 'status', id, '--json')).stdout);
    assert.equal(status.phase, 'done');
    const logs = await zephyr(place, 'logs', id);
    assert.match(logs.stdout, /==> zephyr-e\d+ <==.*==> prepare-e\d+ <==.*==> train-e\d+ <==/s);
    const folder = join(place.home, 'jobs', runOf(id));
    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile()))
      assert.ok(!(await readFile(join(file.parentPath, file.name), 'latin1')).includes(CANARY), file.name);
    assert.ok(
      files.some(({ name }) => name === 'node-1.json'),
      'a second node took part',
    );
  });

  it('is cancelled from another terminal: its job saves and leaves the cluster', async () => {
    const place = await placeWithBase();
    const on = await cluster('{}');
    const running = await start(place, ['dsft', recipe, '--on', on, ...ENDLESS]);
    const [id] = await running.says(ID);
    await running.says(/checkpoint at step/);
    const watched = await zephyr(place, 'status', id);
    assert.equal(watched.code, 7);
    assert.match(watched.stdout, /train +running/);
    assert.equal((await zephyr(place, 'cancel', id)).code, 0);
    assert.equal((await running.ended).code, 4);
    assert.deepEqual(jobsOf(runOf(id)), []);
    const status = JSON.parse((await zephyr(place, 'status', id, '--json')).stdout);
    assert.equal(status.phase, 'cancelled');
    assert.ok(status.checkpoints.length > 0);
  });

  it('takes back a run that was handed over and waits', async () => {
    const place = await placeWithBase();
    const on = await cluster('{driver: {sbatch: [--hold]}}');
    const { code, stdout, stderr } = await zephyr(place, 'dsft', recipe, '--on', on, '--detach');
    assert.equal(code, 0, stderr);
    const id = stdout.trim();
    const status = await zephyr(place, 'status', id);
    assert.equal(status.code, 7);
    assert.match(status.stdout, /job \d+ in place of a terminal: queued: somebody holds it.*JobHeldUser/);
    assert.equal((await zephyr(place, 'cancel', id)).code, 0);
    assert.deepEqual(jobsOf(runOf(id)), []);
    assert.equal((await zephyr(place, 'status', id)).code, 4);
    // one that begins all the same, since nobody saw it when the run was cancelled, leaves it alone
    const driver = { ...place, env: { ...place.env, ZEPHYR_DRIVER: `${runOf(id)}/1` } };
    const late = await zephyr(driver, 'resume', id, '--on', on);
    assert.equal(late.code, 6, late.stderr);
    assert.match(late.stderr, /was submitted for it before it was cancelled/);
    assert.equal((await zephyr(place, 'status', id)).code, 4);
  });

  it('is told in words that its job is refused, and that one can never start', async () => {
    const place = await placeWithBase();
    const refused = await zephyr(place, 'dsft', recipe, '--on', await cluster('{constraint: volta}'));
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /Cannot submit jobs to zephyr-\d+: .*Invalid feature specification/);
    assert.ok(!refused.stderr.includes('started'), 'nothing was begun');
    const unknown = await zephyr(place, 'dsft', recipe, '--on', await cluster('{partition: gpuu}'));
    assert.equal(unknown.code, 3);
    assert.match(unknown.stderr, /Cannot use partition "gpuu" of zephyr-\d+: expected low, high/);
    // longer than the partition allows: accepted, and never started
    const vain = await zephyr(place, 'dsft', recipe, '--on', await cluster('{time: 30-0}'));
    assert.equal(vain.code, 3);
    assert.match(vain.stderr, /its job can never start on zephyr-\d+: .*\(Partition(Config|TimeLimit)\)/);
    assert.deepEqual(jobsOf(runOf(ID.exec(vain.stderr)?.[0] ?? '')), []);
  });
});

describe('--detach', { skip: missing() ?? false }, () => {
  it('is refused where nothing goes on when the terminal is gone', async () => {
    const place = await newPlace();
    await importBase(place);
    const { code, stderr } = await zephyr(place, 'dsft', recipe, '--detach');
    assert.equal(code, 2);
    assert.match(stderr, /Cannot detach a run from this terminal: backend "process"/);
  });
});
