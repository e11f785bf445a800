import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Backend } from '../../src/backends/backend.ts';
import { followJob } from '../../src/backends/follow.ts';
import { openBackend } from '../../src/backends/registry.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import type { JobHandle } from '../../src/model/job.ts';
import { schedulerContract } from '../contracts/scheduler.ts';
import { layJob, ROOT } from '../rig/job-rig.ts';

const docker = (...argv: string[]) => spawnSync('docker', argv, { encoding: 'utf8' });
const images = [process.env.ZEPHYR_TEST_IMAGE, 'zephyr-train:test', 'zephyr-base:bookworm'].filter(
  (image) => image !== undefined,
);
const image = images.find((name) => docker('image', 'inspect', name).status === 0);
const reason =
  docker('version').status !== 0
    ? 'no docker daemon here'
    : image === undefined
      ? `none of the images ${images.join(', ')} here`
      : undefined;
if (reason !== undefined && process.env.ZEPHYR_TEST_REQUIRE?.split(',').includes('docker'))
  throw new Error(`Cannot test the docker backend: ${reason}`);
const options = { image: image ?? 'none' };

schedulerContract({
  name: 'docker',
  options,
  skip: reason,
  torch:
    reason === undefined &&
    docker('run', '--rm', '--network', 'none', '--entrypoint', 'python3', options.image, '-c', 'import torch').status === 0,
  killSupervisor: async (handle) => {
    assert.equal(docker('kill', '--signal', 'KILL', handle.id).status, 0);
  },
});

describe('docker', { skip: reason ?? false }, () => {
  let home: string;
  let count = 0;
  const handles: JobHandle[] = [];
  const open = async (more: object = {}): Promise<Backend> =>
    await openBackend(
      { backend: 'docker', options: { ...options, ...more } },
      {
        host: 'here/boot',
        root: ROOT,
        cache: join(home, 'cache'),
        jobs: join(home, 'jobs'),
        hub: await openLocalHub(join(home, 'hub')),
      },
    );
  const lay = async (fixture: string, config: object = {}) => {
    count += 1;
    return await layJob(join(home, 'jobs'), fixture, config, {
      run: `run-d-${process.pid}-${count}`,
      stage: 'dsft',
      step: 'prepare',
      epoch: 1,
    });
  };
  const submit = async (backend: Backend, fixture: string, config?: object) => {
    const handle = await backend.scheduler.submit(await lay(fixture, config));
    handles.push(handle);
    return handle;
  };
  const ended = async (backend: Backend, handle: JobHandle) => {
    for await (const item of followJob(backend, handle, { pollMs: 20 })) if (item.type === 'ended') return item.state;
    throw new Error('The stream of a job ended before the job');
  };

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'zephyr docker,'));
  });
  after(async () => {
    for (const handle of handles) docker('rm', '--force', '--volumes', handle.id);
    await rm(home, { recursive: true });
  });

  test('a job writes into its folder and nowhere else, and reaches nobody', async () => {
    const backend = await open();
    const handle = await submit(backend, 'nosy');
    await ended(backend, handle);
    const seen = JSON.parse(await readFile(join(handle.place, 'out', 'seen.json'), 'utf8'));
    for (const action of ['write_input', 'new_input', 'write_code', 'write_root'])
      assert.match(seen[action], /^OSError 30|^PermissionError/, action);
    assert.deepEqual([seen.write_home, seen.write_tmp], ['done', 'done']);
    assert.match(seen.network, /^OSError|^TimeoutError/);
  });

  test('neither the engine nor any process of the container holds a variable of ours', async () => {
    const canary = `canary-${process.pid}-${Math.random()}`;
    process.env.HF_TOKEN = canary;
    try {
      const backend = await open();
      const handle = await submit(backend, 'nosy');
      await ended(backend, handle);
      assert.ok(!docker('inspect', handle.id).stdout.includes(canary));
      const { parents_environ } = JSON.parse(await readFile(join(handle.place, 'out', 'seen.json'), 'utf8'));
      assert.ok(Object.keys(parents_environ).length > 0);
      assert.ok(!JSON.stringify(parents_environ).includes(canary));
    } finally {
      delete process.env.HF_TOKEN;
    }
  });

  test('a job that takes more memory than it may is told from one that was killed', async () => {
    const backend = await open({ memory: '128m' });
    assert.deepEqual(await ended(backend, await submit(backend, 'hungry')), { state: 'exited', code: 137, outOfMemory: true });
  });

  test('a child that was killed for memory hides no exit code by which the program says why it ends', async () => {
    const backend = await open({ memory: '128m' });
    for (const [exit, outOfMemory] of [
      [75, false],
      [65, false],
      [1, true],
    ] as const) {
      const handle = await submit(backend, 'parent', { exit });
      assert.deepEqual(await ended(backend, handle), { state: 'exited', code: exit, outOfMemory });
      assert.equal(docker('inspect', '--format', '{{.State.OOMKilled}}', handle.id).stdout.trim(), 'true');
    }
  });

  test('a container that was made but never started is started by whoever finds it', async () => {
    const backend = await open();
    const request = await lay('finish');
    const handle = await backend.scheduler.submit(request);
    await ended(backend, handle);
    await backend.scheduler.forget(handle);
    assert.equal((await backend.scheduler.state(handle)).state, 'exited', 'the job folder still knows');
    const name = `zephyr-${request.labels.run}-dsft-prepare-e1`;
    assert.equal(docker('create', '--name', name, '--entrypoint', 'sleep', options.image, '60').status, 0);
    const found = await backend.scheduler.find(request.labels);
    assert.ok(found);
    handles.push(found);
    assert.deepEqual(await backend.scheduler.state(found), { state: 'running' });
  });

  test('an image that is not there is named by check, with the command that builds it', async () => {
    await assert.rejects((await open({ image: 'zephyr-none:1' })).scheduler.check(['train']), {
      exit: 'preflight',
      message: /zephyr-none:1/,
      hint: /docker build/,
    });
  });

  test('check passes the image of these requirements and refuses one of others', async () => {
    await (await open()).scheduler.check(['train']);
    const stale = `zephyr-stale:${process.pid}`;
    const built = spawnSync('docker', ['build', '--network', 'none', '--tag', stale, '-'], {
      input: `FROM ${options.image}\nLABEL org.zephyr.requirements=0000\n`,
      env: { ...process.env, DOCKER_BUILDKIT: '0' },
    });
    assert.equal(built.status, 0, String(built.stderr));
    try {
      await assert.rejects((await open({ image: stale })).scheduler.check(['train']), {
        exit: 'preflight',
        message: /other requirements/,
        hint: /docker build/,
      });
    } finally {
      docker('image', 'rm', stale);
    }
  });

  test('a submit that the engine refuses leaves no container behind', async () => {
    const backend = await open({ image: 'zephyr-none:1' });
    const request = await lay('finish');
    await assert.rejects(backend.scheduler.submit(request), { exit: 'preflight' });
    assert.equal(await backend.scheduler.find(request.labels), undefined);
  });

  test('the environment is what the image says of its requirements', async () => {
    assert.match(await (await open()).scheduler.environment('train'), /^(sha256:)?[0-9a-f]{64}$/);
  });
});
