import assert from 'node:assert/strict';
import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FolderWorkspace } from '../../../src/backends/folder-workspace.ts';
import { layControl } from '../../../src/backends/job-folder.ts';
import { Cluster } from '../../../src/backends/slurm/cluster.ts';
import { slurmOptions } from '../../../src/backends/slurm/options.ts';
import { SlurmScheduler } from '../../../src/backends/slurm/scheduler.ts';
import { openLocalHub } from '../../../src/hub/local-hub.ts';
import { ROOT } from '../../rig/job-rig.ts';

const labels = { run: 'run-a', stage: 'dsft', step: 'train', epoch: 1 };

/** A job that has begun, of which Slurm says what `says` holds; `again` opens the cluster as another zephyr would. */
async function begun() {
  const home = await mkdtemp(join(tmpdir(), 'zephyr-silent-'));
  const says = { state: 'RUNNING', endsAt: 0 };
  const orders: string[] = [];
  const run = async (argv: readonly string[]) => {
    if (argv[0] === 'scancel' && orders.push(argv.join(' ')) === says.endsAt) says.state = 'CANCELLED';
    return { exitCode: 0, stdout: argv[0] === 'squeue' ? `7|${says.state}|n1|None\n` : '', why: '' };
  };
  const workspace = new FolderWorkspace('shared-disk', join(home, 'jobs'), await openLocalHub(join(home, 'hub')));
  const again = () => new SlurmScheduler(new Cluster({ name: 'c', options: slurmOptions.parse({}), run, workspace, root: ROOT }));
  const place = workspace.placeOf({ labels });
  const handle = { backend: 'slurm', host: 'c', id: '7', place, labels, startedAt: new Date().toISOString() };
  const control = await layControl(workspace.folder(place), labels, ROOT);
  await writeFile(join(control, 'claim.json'), JSON.stringify(handle));
  const beat = (node: number, count: number) => writeFile(join(control, `node-${node}.json`), JSON.stringify({ beat: count }));
  const scheduler = again();
  const look = async () => (await scheduler.state(handle)).state;
  return { says, orders, handle, control, beat, scheduler, look, again };
}

test('a job whose supervisors stand still is given up, and has ended only once Slurm says so', async () => {
  const { says, orders, handle, beat, scheduler, look, again } = await begun();
  scheduler.silentJobs.silentAfterMs = 0;
  // nothing is known of a container that is being loaded
  for (let looks = 0; looks < 3; looks += 1) assert.equal(await look(), 'running');
  await beat(0, 1);
  await beat(1, 1);
  assert.equal(await look(), 'running');
  assert.deepEqual(orders, []);
  for (let looks = 0; looks < 3; looks += 1) assert.equal(await look(), 'running');
  assert.deepEqual(orders, ['scancel 7']);
  says.state = 'COMPLETING';
  assert.equal(await look(), 'running');
  says.state = 'CANCELLED';
  const end = { state: 'exited', code: 137, outOfMemory: false, why: 'its supervisor gave no sign of life for 0 s' };
  assert.deepEqual(await scheduler.state(handle), end);
  assert.deepEqual(await again().state(handle), end);
  assert.deepEqual(orders, ['scancel 7']);
});

test('a job is left alone as long as one of its supervisors moves, or Slurm has suspended it', async () => {
  const { says, orders, control, beat, scheduler, look } = await begun();
  scheduler.silentJobs.silentAfterMs = 0;
  await beat(0, 1);
  for (let count = 1; count < 5; count += 1) {
    await beat(1, count);
    assert.equal(await look(), 'running');
  }
  says.state = 'SUSPENDED';
  for (let looks = 0; looks < 3; looks += 1) assert.equal(await look(), 'running');
  says.state = 'RUNNING';
  assert.equal(await look(), 'running');
  assert.deepEqual(orders, []);
  assert.equal((await readdir(control)).includes('silent.json'), false);
});

test('a look that comes late counts no more than two in time, since the disk may have held up everybody', async () => {
  const { orders, beat, scheduler, look } = await begun();
  scheduler.askEveryMs = 0;
  scheduler.silentJobs.silentAfterMs = 0;
  await beat(0, 1);
  for (let looks = 0; looks < 5; looks += 1) assert.equal(await look(), 'running');
  assert.deepEqual(orders, []);
});

test('a silent job that is cancelled is taken back without waiting for those who cannot obey', async () => {
  const { says, orders, handle, control, beat, scheduler, look } = await begun();
  scheduler.silentJobs.silentAfterMs = 0;
  await beat(0, 1);
  for (let looks = 0; looks < 2; looks += 1) assert.equal(await look(), 'running');
  says.endsAt = 2;
  assert.deepEqual(await scheduler.cancel(handle, 86_400), { state: 'exited', code: 137, outOfMemory: false });
  assert.ok(orders.every((order) => order === 'scancel 7'));
  assert.equal((await readdir(control)).includes('stop'), false);
});
