import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runArgv } from '../../src/backends/container-argv.ts';
import { isMissing, said } from '../../src/backends/container-engine.ts';
import { FolderWorkspace } from '../../src/backends/folder-workspace.ts';
import { openBackend } from '../../src/backends/registry.ts';
import { dockerOptions } from '../../src/backends/target-options.ts';
import type { Hub } from '../../src/hub/hub.ts';
import { ROOT } from '../rig/job-rig.ts';

const labels = { run: 'run-1', stage: 'dsft', step: 'train', epoch: 2 };
const sharding = { sharding: 'none', offload: false } as const;
const hardware = { device: 'cuda', nodes: 1, ranks: 8, microBatch: 1, accumulation: 1, threads: 4, ...sharding } as const;
const request = { place: '/jobs/a,b', program: 'dsft', environment: 'train', labels, hardware } as const;
/** Nothing here asks a Hub. */
const hub = {} as Hub;
const place = { host: 'here/boot', root: ROOT, cache: '/cache', jobs: '/jobs', hub };

function argv(more: object, cdi: boolean): string[] {
  const options = {
    ...dockerOptions.parse({ image: 'zephyr-train', ...more }),
    binary: 'docker',
    host: 'here/boot',
    root: ROOT,
    cache: '/cache',
    workspace: new FolderWorkspace('local', '/jobs', hub),
  } as const;
  return runArgv(options, request, cdi);
}

test('GPUs are asked for by CDI name where the engine has it, else by --gpus', () => {
  assert.ok(argv({}, true).join(' ').includes('--device nvidia.com/gpu=all'));
  assert.ok(argv({ gpus: '0,2' }, true).join(' ').includes('--device nvidia.com/gpu=0 --device nvidia.com/gpu=2'));
  assert.ok(argv({ gpus: '0,2' }, false).join(' ').includes('--gpus "device=0,2"'));
});

test('a comma in the path of the job folder does not end the mount', () => {
  assert.ok(argv({}, true).includes('type=bind,"source=/jobs/a,b/in",target=/job/in,readonly'));
});

test('several ranks without a network talk over the loopback, and the host name resolves', () => {
  const line = argv({}, true).join(' ');
  for (const part of ['--network none', '--add-host zephyr-job:127.0.0.1', '--env NCCL_SOCKET_IFNAME=lo', '--ranks 8'])
    assert.ok(line.includes(part), part);
});

const handleIn = (folder: string) => ({
  backend: 'docker',
  host: 'here/boot',
  id: 'c0ffee',
  place: folder,
  labels,
  startedAt: new Date().toISOString(),
});

test('a missing client or a silent daemon is unknown, never absent', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-docker-'));
  const path = process.env.PATH;
  try {
    const handle = handleIn(folder);
    const { scheduler } = await openBackend({ backend: 'docker', options: { image: 'zephyr-train' } }, place);
    process.env.PATH = folder;
    assert.equal((await scheduler.state(handle)).state, 'unknown');
    await assert.rejects(scheduler.check(['train']), { exit: 'preflight', message: /^Cannot reach docker/ });

    process.env.PATH = path;
    process.env.DOCKER_HOST = `unix://${folder}/no.sock`;
    await writeFile(
      join(folder, 'docker'),
      '#!/bin/sh\necho "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?" >&2\nexit 1\n',
    );
    await chmod(join(folder, 'docker'), 0o755);
    process.env.PATH = `${folder}:${path}`;
    const state = await scheduler.state(handle);
    assert.ok(state.state === 'unknown' && /Cannot connect/.test(state.why));
    assert.equal((await scheduler.cancel(handle, 1)).state, 'unknown');
    await assert.rejects(scheduler.check(['train']), {
      exit: 'preflight',
      message: /^Cannot reach docker: Cannot connect/,
      hint: /Start the docker daemon/,
    });
    await assert.rejects(scheduler.find(labels), { exit: 'preflight' });
  } finally {
    process.env.PATH = path;
    delete process.env.DOCKER_HOST;
    await rm(folder, { recursive: true });
  }
});

test('an engine that saw a process die for memory is believed unless the program itself said why it ended', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-docker-'));
  const path = process.env.PATH;
  try {
    process.env.PATH = `${folder}:${path}`;
    const { scheduler } = await openBackend({ backend: 'docker', options: { image: 'zephyr-train' } }, place);
    const handle = handleIn(folder);
    const told = async (ExitCode: number): Promise<boolean> => {
      const State = { Status: 'exited', ExitCode, OOMKilled: true };
      const answer = JSON.stringify([{ Id: 'c0ffee', Created: handle.startedAt, State, Config: { Labels: {} } }]);
      await writeFile(join(folder, 'docker'), `#!/bin/sh\nprintf '%s' '${answer}'\n`, { mode: 0o755 });
      const state = await scheduler.state(handle);
      assert.ok(state.state === 'exited' && state.code === ExitCode);
      return state.outOfMemory;
    };
    for (const code of [0, 64, 65, 74, 75, 78]) assert.equal(await told(code), false, String(code));
    for (const code of [1, 63, 79, 137, 143]) assert.equal(await told(code), true, String(code));
  } finally {
    process.env.PATH = path;
    await rm(folder, { recursive: true });
  }
});

test('only the engine saying so makes a container missing', () => {
  for (const text of [
    'Error: No such object: x',
    'Error response from daemon: No such container: x',
    'Error: no container with name or ID "x" found: no such container',
  ]) {
    assert.ok(isMissing(text), text);
  }
  for (const text of ['error during connect: EOF', 'context deadline exceeded', '']) assert.ok(!isMissing(text), text);
});

test('of what the client says, the last line with a reason is kept', () => {
  assert.equal(
    said("docker: Error response from daemon: Conflict.\nSee 'docker run --help'."),
    'Error response from daemon: Conflict.',
  );
});

test('options of a target are checked, and an unknown one is named', async () => {
  await assert.rejects(openBackend({ backend: 'docker', options: { image: 'a', shm: '1g' } }, place), {
    exit: 'usage',
    message: /shm/,
  });
});
