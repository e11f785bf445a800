import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { followJob } from '../../../src/backends/follow.ts';
import { openBackend } from '../../../src/backends/registry.ts';
import { localHub } from '../../../src/hub/local-hub.ts';
import { openStore } from '../../../src/store/store.ts';
import { layJob, ROOT, until } from '../../rig/job-rig.ts';
import { missingSlurm, sharedConf } from '../../rig/slurm.ts';
import { python } from '../../rig/zephyr.ts';

const SSHD = '/usr/sbin/sshd';
const isRoot = process.getuid?.() === 0;
const skip = missingSlurm() ?? (isRoot && spawnSync(SSHD, ['-?']).error === undefined ? false : `no ${SSHD} to start as root`);

/** A login node: this machine by way of ssh, with keys and settings of its own. Returns its address and a client's settings. */
async function loginNode(t: TestContext, folder: string): Promise<{ login: string; sshConfig: string }> {
  const port = await freePort();
  for (const key of ['host', 'user']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, key)]);
  await mkdir('/run/sshd', { recursive: true });
  const server = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(folder, 'host')}`,
    `AuthorizedKeysFile ${join(folder, 'user.pub')}`,
    ...['StrictModes no', 'UsePAM no', 'PidFile none', 'PasswordAuthentication no', 'PermitRootLogin yes'],
    `SetEnv SLURM_CONF=${sharedConf}`,
  ];
  await writeFile(join(folder, 'sshd_config'), `${server.join('\n')}\n`);
  const daemon = spawn(SSHD, ['-D', '-e', '-f', join(folder, 'sshd_config')], { stdio: 'ignore' });
  t.after(async () => {
    daemon.kill();
    await once(daemon, 'exit');
  });
  const client = [
    'Host login-node',
    ...['HostName 127.0.0.1', `Port ${port}`, 'User root', `IdentityFile ${join(folder, 'user')}`, 'IdentitiesOnly yes'],
    ...['StrictHostKeyChecking no', `UserKnownHostsFile ${join(folder, 'known_hosts')}`, 'LogLevel ERROR'],
  ];
  const sshConfig = join(folder, 'ssh_config');
  await writeFile(sshConfig, `${client.join('\n')}\n`);
  await until('sshd answers', async () => spawnSync('ssh', ['-F', sshConfig, 'login-node', 'true']).status === 0);
  return { login: 'login-node', sshConfig };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

test('jobs are submitted and followed over ssh, on a disk that the cluster has under another path', { skip }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-ssh-'));
  t.after(() => rm(folder, { recursive: true }));
  const { login, sshConfig } = await loginNode(t, folder);
  const jobs = join(folder, 'jobs');
  await mkdir(jobs);
  const folderThere = join(folder, 'it is there');
  await symlink(jobs, folderThere);
  const hub = localHub(await openStore(join(folder, 'hub')));
  const place = { host: 'here/boot', root: ROOT, cache: join(folder, 'cache'), jobs, hub };
  const options = { login, sshConfig, folderThere, runtime: { kind: 'python', python } };
  const backend = await openBackend({ backend: 'slurm', options }, place);
  await backend.scheduler.check(['train']);

  const labels = { run: `run-ssh-${process.pid}`, stage: 'dsft', step: 'prepare', epoch: 1 };
  const request = await layJob(jobs, 'finish', { steps: 2 }, labels);
  const handle = await backend.scheduler.submit({ ...request, place: `${labels.run}/prepare-e1` });
  for await (const item of followJob(backend, handle, { pollMs: 50, statePollMs: 300 }))
    if (item.type === 'ended') assert.deepEqual(item.state, { state: 'exited', code: 0, outOfMemory: false });
  const script = await readFile(
    join(jobs, labels.run, 'prepare-e1', 'control', `zephyr-${labels.run}-dsft-prepare-e1`, 'job.sh'),
    'utf8',
  );
  assert.ok(script.includes(`--chdir="${folderThere}/${labels.run}/prepare-e1"`));

  const elsewhere = { ...options, folderThere: join(folder, 'nowhere') };
  const wrong = await openBackend({ backend: 'slurm', options: elsewhere }, place);
  await assert.rejects(wrong.scheduler.check([]), { exit: 'preflight', message: /"[^"]*nowhere" there is another folder/ });
  const made = await openBackend({ backend: 'slurm', options: { login, sshConfig } }, place);
  await assert.rejects(async () => made.scheduler.unmade?.(['train']), { exit: 'preflight', hint: /options\.runtime python/ });
});

test('a login node that cannot be reached has said nothing of a job', {
  skip: spawnSync('ssh', ['-V']).error === undefined ? false : 'no ssh',
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-ssh-'));
  t.after(() => rm(folder, { recursive: true }));
  const jobs = join(folder, 'jobs');
  await mkdir(jobs);
  await writeFile(join(jobs, '.cluster'), 'hpc\n');
  const hub = localHub(await openStore(join(folder, 'hub')));
  const options = { login: `ssh://root@127.0.0.1:${await freePort()}`, sshConfig: '/dev/null' };
  const { scheduler } = await openBackend({ backend: 'slurm', options }, { host: 'h/b', root: ROOT, cache: folder, jobs, hub });
  const labels = { run: 'run-1', stage: 'dsft', step: 'prepare', epoch: 1 };
  const handle = {
    backend: 'slurm',
    host: 'hpc',
    id: '7',
    place: 'run-1/prepare-e1',
    labels,
    startedAt: new Date().toISOString(),
  };
  const state = await scheduler.state(handle);
  assert.ok(state.state === 'unknown' && /refused/.test(state.why), JSON.stringify(state));
  await assert.rejects(scheduler.find(labels), { exit: 'temporary', message: /Cannot reach Slurm: .*refused/ });
});
