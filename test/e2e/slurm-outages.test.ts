import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Cluster, missingSlurm, sharedConf } from '../rig/slurm.ts';
import { type Ended, missing, type Place, type Started, start, zephyr } from '../rig/zephyr.ts';
import { keepFromEnding, unfinished } from './kill-at.ts';
import { published } from './published.ts';
import { drawsFrom, killAtRandom, killSilently } from './slurm-kills.ts';
import { Runs } from './slurm-runs.ts';

const skip = missing() ?? missingSlurm() ?? false;
const AWAY_MS = 120_000;
const JOB = /dsft\/train {2}runs as slurm (\d+)/;

describe('a run on a cluster', { skip, concurrency: 2 }, () => {
  let runs: Runs;
  before(async () => {
    runs = await Runs.ready();
  });

  /** Starts a training that waits at its end, if it gets there, to be taken away; resolves when it has saved something. */
  async function midway(place: Place, target: string): Promise<Started & { readonly job: string }> {
    const running = await start(place, ['dsft', runs.recipe, '--on', target]);
    const [, job = ''] = await running.says(JOB);
    await keepFromEnding(place);
    await running.says(/checkpoint at step/);
    return { ...running, job };
  }

  async function endsAsWhole(place: Place, ended: Ended): Promise<void> {
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(await published(place, ended), runs.whole);
  }

  describe('whose nodes stay', { concurrency: false }, () => {
    test('makes on two nodes the weights of one process with two ranks', async () => {
      const place = await runs.place(sharedConf);
      await endsAsWhole(place, await zephyr(place, 'dsft', runs.recipe, '--on', await runs.on(2)));
    });

    test('goes on in another job when the time of one is over', async () => {
      const place = await runs.place(sharedConf);
      const { ended } = await midway(place, await runs.on(1, { time: 3, signalSeconds: 120 }));
      const whole = await ended;
      assert.match(whole.stderr, /the time limit of the job was over; going on from step/);
      await endsAsWhole(place, whole);
    });
  });

  describe('whose nodes go', { concurrency: false }, () => {
    let cluster: Cluster;
    before(async () => {
      cluster = await Cluster.up();
      cluster.run('scontrol', 'update', 'partitionname=low', 'gracetime=1');
    });
    after(() => cluster.down());

    test('goes on bit for bit when its nodes were taken by a job of more right', async () => {
      const place = await runs.place(cluster.conf);
      const { ended } = await midway(place, await runs.on(2));
      cluster.run('sbatch', '--partition=high', '--nodes=2', '--exclusive', '--output=/dev/null', '--wrap', 'sleep 1');
      const whole = await ended;
      assert.match(whole.stderr, /the job lost its place to another one; going on from step/);
      await endsAsWhole(place, whole);
    });

    test('goes on bit for bit on another node when its own fails', async () => {
      const place = await runs.place(cluster.conf);
      const { ended, job } = await midway(place, await runs.on(1));
      const node = cluster.run('squeue', '--noheader', '--format=%N', `--jobs=${job}`);
      cluster.run('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=test');
      const whole = await ended;
      assert.match(whole.stderr, new RegExp(`a node of the job failed \\(${node}\\); going on from step`));
      await endsAsWhole(place, whole);
      cluster.mend();
    });

    test('starts nothing a second time while the controller is away for two minutes', async () => {
      const place = await runs.place(cluster.conf);
      const running = await start(place, ['dsft', runs.recipe, '--on', await runs.on(2)]);
      await running.says(/checkpoint at step/);
      const run = await unfinished(place);
      await cluster.signal('slurmctld', 'SIGKILL');
      const back = setTimeout(AWAY_MS);
      const status = await zephyr(place, 'status', run);
      // the training ends meanwhile, and nobody is there to say so
      await back;
      cluster.mend();
      assert.equal(status.code, 7, status.stderr);
      assert.match(status.stdout, /train +unknown +.*Unable to contact slurm controller/);
      await endsAsWhole(place, await running.ended);
      const name = run.slice(run.indexOf('@') + 1);
      const jobs = cluster.run('squeue', '--noheader', '--states=all', '--format=%j').split('\n');
      assert.equal(jobs.filter((each) => each.includes(name)).length, 1);
    });

    test('goes on bit for bit when nobody is left to say that its job has ended', async () => {
      const place = await runs.place(cluster.conf);
      const { ended } = await midway(place, await runs.on(1, { silenceSeconds: 30 }));
      await killSilently(cluster);
      const whole = await ended;
      assert.match(whole.stderr, /its supervisor gave no sign of life for 30 s; going on from step/);
      await endsAsWhole(place, whole);
    });

    test('ends in the same bits after kills of a step, zephyr, a node daemon and a supervisor', async () => {
      const place = await runs.place(cluster.conf);
      const args = ['dsft', runs.recipe, '--on', await runs.on(2)];
      const draw = drawsFrom(7);
      const { ended, killed } = await killAtRandom(
        { place, args, cluster },
        ['step', 'zephyr', 'node daemon', 'supervisor'],
        draw,
      );
      assert.ok(killed.filter(({ found }) => found > 0).length > 1, JSON.stringify(killed));
      await endsAsWhole(place, ended);
    });
  });
});
