import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { environmentFolder, environmentPins } from '../../../src/backends/environments.ts';
import { FolderWorkspace } from '../../../src/backends/folder-workspace.ts';
import { controlFolder } from '../../../src/backends/job-folder.ts';
import { openBackend } from '../../../src/backends/registry.ts';
import { Cluster } from '../../../src/backends/slurm/cluster.ts';
import { localCommands, type Ran } from '../../../src/backends/slurm/commands.ts';
import { slurmOptions } from '../../../src/backends/slurm/options.ts';
import { SlurmScheduler } from '../../../src/backends/slurm/scheduler.ts';
import { ZephyrError } from '../../../src/errors.ts';
import { openLocalHub } from '../../../src/hub/local-hub.ts';
import { DRIVER_STEP, type JobHandle } from '../../../src/model/job.ts';
import { ROOT } from '../../rig/job-rig.ts';

const labels = { run: 'run-1', stage: 'dsft', step: 'train', epoch: 1 };
const handle: JobHandle = {
  ...{ backend: 'slurm', host: 'hpc', id: '7', place: 'run-1/train-e1', labels },
  startedAt: '2026-01-01T00:00:00Z',
};
const AWAY: Ran = { exitCode: 1, stdout: '', why: 'Unable to contact slurm controller (connect failure)' };

/** A cluster whose controller does not answer, and the control folder of an attempt on its disk. */
async function openAway(t: TestContext, root?: string, answer = AWAY) {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-away-'));
  t.after(() => rm(folder, { recursive: true }));
  const workspace = new FolderWorkspace('shared-disk', join(folder, 'jobs'), await openLocalHub(join(folder, 'hub')));
  const options = slurmOptions.parse({});
  const cluster = new Cluster({
    name: 'hpc',
    options,
    run: async () => answer,
    workspace,
    root: root === undefined ? ROOT : join(folder, root),
  });
  const control = controlFolder(workspace.folder(handle.place), labels);
  await mkdir(control, { recursive: true });
  return { folder, control, scheduler: new SlurmScheduler(cluster) };
}

test('a job that ended is known by its own files, and nothing else is said of one while the controller is away', async (t) => {
  const { control, scheduler } = await openAway(t);
  assert.deepEqual(await scheduler.state(handle), { state: 'unknown', why: AWAY.why });
  await writeFile(join(control, 'claim.json'), JSON.stringify(handle));
  assert.deepEqual(await scheduler.state(handle), { state: 'unknown', why: AWAY.why });
  await writeFile(join(control, 'exit.json'), '{"code":0,"outOfMemory":false}');
  assert.deepEqual(await scheduler.state(handle), { state: 'exited', code: 0, outOfMemory: false });
});

test('a job that has not begun is cancelled without the controller: it never begins', async (t) => {
  const { control, scheduler } = await openAway(t);
  assert.deepEqual(await scheduler.cancel(handle, 300), { state: 'absent' });
  assert.deepEqual(JSON.parse(await readFile(join(control, 'claim.json'), 'utf8')), { fenced: true });
});

test('a job that runs is told to stop by the disk while the controller is away', async (t) => {
  const { control, scheduler } = await openAway(t);
  await writeFile(join(control, 'claim.json'), JSON.stringify(handle));
  const cancelling = scheduler.cancel(handle, 300);
  while (!existsSync(join(control, 'stop'))) await new Promise((resolve) => setTimeout(resolve, 5));
  await writeFile(join(control, 'exit.json'), '{"code":75,"outOfMemory":false}');
  assert.deepEqual(await cancelling, { state: 'exited', code: 75, outOfMemory: false });
});

test('a search for a job that is not answered fails, and gives no attempt up', async (t) => {
  const { control, scheduler } = await openAway(t);
  await assert.rejects(scheduler.find(labels), { exit: 'temporary', message: /Cannot reach Slurm: Unable to contact/ });
  assert.equal(existsSync(join(control, 'claim.json')), false);
});

test('an attempt that is looked for in vain never begins, but whoever asks for a driver may be in the midst of its submission', async (t) => {
  const { control, scheduler } = await openAway(t, undefined, { exitCode: 0, stdout: '', why: '' });
  const ofDriver = { ...labels, step: DRIVER_STEP };
  const controlOfDriver = controlFolder(scheduler.cluster.folderOf(ofDriver), ofDriver);
  await mkdir(controlOfDriver, { recursive: true });
  for (const each of [labels, ofDriver]) assert.equal(await scheduler.find(each), undefined);
  assert.deepEqual(JSON.parse(await readFile(join(control, 'claim.json'), 'utf8')), { fenced: true });
  assert.equal(existsSync(join(controlOfDriver, 'claim.json')), false);
});

test('a machine without Slurm says of a job that it is out of sight, and starts none', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-away-'));
  t.after(() => rm(folder, { recursive: true }));
  const hub = await openLocalHub(join(folder, 'hub'));
  const place = { host: 'here/boot', root: ROOT, cache: folder, jobs: join(folder, 'jobs'), hub };
  const login = `ssh://127.0.0.1:1`;
  const { scheduler } = await openBackend({ backend: 'slurm', options: { login, sshConfig: '/dev/null' } }, place);
  assert.equal((await scheduler.state(handle)).state, 'unknown');
  assert.notEqual(scheduler.reaches(handle), true);
  await assert.rejects(scheduler.check([]), { message: /Cannot reach Slurm/ });
});

test('Python environments for a cluster are made on its disk', async (t) => {
  const { folder, scheduler } = await openAway(t, 'package');
  const { root, workspace } = scheduler.cluster;
  await mkdir(join(folder, 'package', 'scripts', 'train', 'environments', 'train'), { recursive: true });
  await writeFile(environmentPins({ root }, 'train'), 'torch==1\n');
  assert.deepEqual(await scheduler.unmade(['train']), ['train']);
  const made = await environmentFolder({ root, cache: scheduler.cache }, 'train');
  assert.ok(made.startsWith(workspace.root));
  await mkdir(made, { recursive: true });
  await writeFile(join(made, 'zephyr.json'), '{}');
  assert.deepEqual(await scheduler.unmade(['train']), []);
  assert.equal(await scheduler.cluster.software('train'), join(made, 'bin', 'python'));
});

test('a machine without Slurm is told in one line, and so is a login node whose PATH lacks it', async (t) => {
  const { folder } = await openAway(t);
  const { why } = await localCommands()(['no-such-slurm', '--noheader']);
  assert.equal(why, 'there is no command "no-such-slurm" on this machine');
  const refusal = async (said: string, login?: string) => {
    const options = slurmOptions.parse({ login });
    const workspace = new FolderWorkspace('shared-disk', folder, await openLocalHub(join(folder, 'hub')));
    const run = async (): Promise<Ran> => ({ exitCode: 127, stdout: '', why: said });
    return await new Cluster({ name: 'hpc', options, run, workspace, root: ROOT }).check([]).catch((error: ZephyrError) => error);
  };
  const here = await refusal(why);
  assert.ok(here instanceof ZephyrError && here.exit === 'preflight');
  assert.match(here.hint ?? '', /run zephyr on a login node/);
  const there = await refusal('env: ‘sinfo’: No such file or directory', 'you@login');
  assert.ok(there instanceof ZephyrError && there.exit === 'preflight');
  assert.match(there.hint ?? '', /`ssh you@login sinfo` works/);
});
