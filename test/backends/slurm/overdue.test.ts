import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
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

test('a job that said how it ended does not run for ever because Slurm says so, and gives its nodes back', async () => {
  const home = await mkdtemp(join(tmpdir(), 'zephyr-overdue-'));
  const asked: string[] = [];
  const run = async (argv: readonly string[]) => {
    asked.push(argv.join(' '));
    return { exitCode: 0, stdout: argv[0] === 'squeue' ? '7|RUNNING|n1|None\n' : '', why: '' };
  };
  const workspace = new FolderWorkspace('shared-disk', join(home, 'jobs'), await openLocalHub(join(home, 'hub')));
  const cluster = new Cluster({ name: 'c', options: slurmOptions.parse({}), run, workspace, root: ROOT });
  const scheduler = new SlurmScheduler(cluster);
  const labels = { run: 'run-a', stage: 'dsft', step: 'train', epoch: 1 };
  const handle = {
    backend: 'slurm',
    host: 'c',
    id: '7',
    place: workspace.placeOf({ labels }),
    labels,
    startedAt: new Date().toISOString(),
  };
  const control = await layControl(workspace.folder(handle.place), labels, ROOT);
  await writeFile(join(control, 'claim.json'), JSON.stringify(handle));
  assert.deepEqual(await scheduler.state(handle), { state: 'running' });
  const exit = { code: 137, outOfMemory: false, why: 'node 1 of 2 went away without a word' };
  await writeFile(join(control, 'exit.json'), JSON.stringify(exit));
  // the script of the job has a moment to leave
  assert.deepEqual(await scheduler.state(handle), { state: 'running' });
  scheduler.leavesWithinMs = 0;
  assert.deepEqual(await scheduler.state(handle), { state: 'exited', ...exit });
  await scheduler.forget(handle);
  assert.equal(asked.at(-1), 'scancel 7');
});
