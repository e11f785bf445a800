import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FolderWorkspace } from '../../src/backends/folder-workspace.ts';
import { controlFolder, SUPERVISOR_FILES } from '../../src/backends/job-folder.ts';
import { ProcessScheduler } from '../../src/backends/process.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { schedulerContract } from '../contracts/scheduler.ts';
import type { FakeQueue } from '../rig/fake-queue.ts';
import { isThere, layJob, ROOT, until } from '../rig/job-rig.ts';

const venv = process.env.ZEPHYR_TEST_PYTHON ?? join(ROOT, '.venv', 'bin', 'python');
const python = existsSync(venv)
  ? venv
  : spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).stdout.trim();

const torch = spawnSync(python, ['-c', 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)']).status === 0;

schedulerContract({
  name: 'process',
  options: { python },
  skip: python === '' ? 'no python3 here' : undefined,
  torch,
  killSupervisor: async (handle) => {
    process.kill(Number(handle.id.split(':')[0]), 'SIGKILL');
  },
});

schedulerContract({
  name: 'queue',
  options: { python },
  skip: python === '' ? 'no python3 here' : undefined,
  torch,
  isCluster: true,
  killSupervisor: async (handle, { scheduler }) => {
    const running = await (scheduler as FakeQueue).node.find(handle.labels);
    process.kill(Number(running?.id.split(':')[0]), 'SIGKILL');
  },
});

async function withBackend(
  requirements: string,
  use: (jobs: string, open: (python: string, host?: string) => ProcessScheduler, file: string) => Promise<void>,
) {
  const home = await mkdtemp(join(tmpdir(), 'zephyr-process-'));
  const folder = join(home, 'scripts', 'train', 'environments', 'train');
  await mkdir(folder, { recursive: true });
  for (const name of SUPERVISOR_FILES) await cp(join(ROOT, 'scripts', 'train', name), join(home, 'scripts', 'train', name));
  const file = join(folder, 'requirements.txt');
  await writeFile(file, requirements);
  const jobs = join(home, 'jobs');
  const workspace = new FolderWorkspace('local', jobs, await openLocalHub(join(home, 'hub')));
  try {
    await use(
      jobs,
      (interpreter, host = 'here/boot') =>
        new ProcessScheduler({
          host,
          python: async () => interpreter,
          given: { train: interpreter },
          workspace,
          root: home,
          cache: join(home, 'cache'),
        }),
      file,
    );
  } finally {
    await rm(home, { recursive: true });
  }
}

test('check names the packages that the interpreter lacks, and asks again once the requirements changed', async () => {
  await withBackend('pip==0.0.1\nno-such-package-of-ours==1.2  # a comment\nunpinned\n', async (_, open, file) => {
    await assert.rejects(open(python).check(['train']), {
      exit: 'preflight',
      message: /pip 0\.0\.1 \(found [\d.]+\), no-such-package-of-ours 1\.2 \(found none\)/,
    });
    await writeFile(file, 'unpinned\n');
    await open(python).check(['train']);
    await open(python).check(['train']);
    await writeFile(file, 'pip==0.0.1\n');
    await assert.rejects(open(python).check(['train']), { exit: 'preflight' });
  });
});

test('check says which interpreter is missing and how to get it', async () => {
  await withBackend('', async (jobs, open) => {
    await assert.rejects(open(join(jobs, 'no-python')).check(['train']), {
      exit: 'preflight',
      message: /no-python/,
      hint: /no-python -m pip install -r /,
    });
  });
});

test('the environment is the digest of the pinned requirements', async () => {
  await withBackend('torch==1', async (_, open, file) => {
    const one = await open(python).environment('train');
    await writeFile(file, 'torch==2');
    assert.notEqual(await open(python).environment('train'), one);
  });
});

test('submit says that the interpreter cannot be started', async () => {
  await withBackend('', async (jobs, open) => {
    const request = await layJob(jobs, 'finish', {}, { run: 'run-a', stage: 'dsft', step: 'prepare', epoch: 1 });
    await assert.rejects(open(join(jobs, 'no-python')).submit(request), { exit: 'preflight' });
    assert.equal(await open(python).find(request.labels), undefined);
  });
});

test('a second attempt is refused while the first one runs in the same folder', async () => {
  await withBackend('', async (jobs, open) => {
    const request = await layJob(jobs, 'graceful', {}, { run: 'run-b', stage: 'dsft', step: 'prepare', epoch: 1 });
    const backend = open(python);
    const handle = await backend.submit(request);
    try {
      await assert.rejects(backend.submit({ ...request, labels: { ...request.labels, epoch: 2 } }), { exit: 'conflict' });
      // another client has submitted the same attempt after this one looked for it
      await backend.refuseCompany(backend.workspace.folder(request.place), request.labels);
    } finally {
      await backend.cancel(handle, 0);
    }
  });
});

test('files in its control folder tell a supervisor to stop and to kill, as signals do', async () => {
  await withBackend('', async (jobs, open) => {
    const backend = open(python);
    for (const [order, fixture, code] of [
      ['stop', 'graceful', 75],
      ['kill', 'stubborn', 137],
    ] as const) {
      const labels = { run: `run-${order}`, stage: 'dsft', step: 'prepare', epoch: 1 };
      const handle = await backend.submit(await layJob(jobs, fixture, {}, labels));
      const folder = backend.workspace.folder(handle.place);
      await until('the program is up', () => isThere(join(folder, 'ready-0')));
      await writeFile(join(controlFolder(folder, labels), order), '');
      await until('the job has ended', async () => (await backend.state(handle)).state !== 'running');
      assert.deepEqual(await backend.state(handle), { state: 'exited', code, outOfMemory: false });
    }
  });
});

test('after a reboot of the same machine a job without an exit code counts as killed', async () => {
  await withBackend('', async (jobs, open) => {
    const request = await layJob(jobs, 'graceful', {}, { run: 'run-c', stage: 'dsft', step: 'prepare', epoch: 1 });
    const handle = await open(python).submit(request);
    try {
      assert.deepEqual(await open(python, 'here/next-boot').state(handle), { state: 'exited', code: 137, outOfMemory: false });
    } finally {
      await open(python).cancel(handle, 0);
    }
  });
});
