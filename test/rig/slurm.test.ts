import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Cluster, missingSlurm } from './slurm.ts';

describe('a Slurm cluster for tests', { skip: missingSlurm() ?? false, concurrency: false }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.up('ClusterName=zephyr-rig');
  });
  after(() => cluster.down());

  it('runs a step on two nodes with GPUs of their own', () => {
    const step = 'echo "$SLURM_NODEID $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES"';
    const lines = cluster.run('srun', '--nodes=2', '--gpus-per-node=2', 'sh', '-c', step).split('\n');
    assert.deepEqual(lines.sort(), ['0 n1 0,1', '1 n2 0,1']);
    assert.match(cluster.run('scontrol', 'show', 'config'), /ClusterName\s+= zephyr-rig/);
  });

  it('is mended after the loss of its controller and of a node', async () => {
    await cluster.signal('slurmctld', 'SIGKILL');
    await cluster.signal('n1', 'SIGKILL');
    cluster.mend();
    cluster.run('scontrol', 'update', 'nodename=n2', 'state=down', 'reason=test');
    cluster.mend();
    assert.equal(cluster.run('srun', '--nodes=2', 'echo', 'both'), 'both\nboth');
  });

  it('leaves nothing behind', () => {
    cluster.run('sbatch', '--output=/dev/null', '--nodes=2', '--wrap', 'srun sleep 98173 & setsid sleep 98174 & wait');
    cluster.down();
    assert.equal(spawnSync('pgrep', ['-f', 'sleep 9817[34]']).status, 1);
    assert.equal(existsSync(cluster.folder), false);
  });
});
