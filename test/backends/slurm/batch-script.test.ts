import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { attemptName } from '../../../src/backends/job-folder.ts';
import type { SubmitRequest } from '../../../src/backends/scheduler.ts';
import { batchScript, type SbatchJob } from '../../../src/backends/slurm/batch-script.ts';
import { driverScript } from '../../../src/backends/slurm/driver-script.ts';
import { slurmOptions } from '../../../src/backends/slurm/options.ts';
import type { Hardware } from '../../../src/model/hardware.ts';
import { jobHandle } from '../../../src/model/job.ts';
import { ROOT } from '../../rig/job-rig.ts';

const hardware: Hardware = {
  device: 'cuda',
  nodes: 2,
  ranks: 8,
  microBatch: 16,
  accumulation: 1,
  threads: 8,
  sharding: 'fsdp2',
  offload: false,
};
const request: SubmitRequest = {
  place: 'run-1/train-e2',
  program: 'dsft',
  environment: 'train',
  labels: { run: 'run-1', stage: 'dsft', step: 'train', epoch: 2 },
  hardware,
};
const site = { account: 'project-1', partition: 'gpu', time: '1-00:00:00', sbatch: ['#SBATCH --exclusive', '--mem=0'] };

function batch(options: Record<string, unknown>, software: string, more: Partial<SbatchJob> = {}): SbatchJob {
  return {
    options: slurmOptions.parse(options),
    request,
    folder: '/shared/jobs/run-1/train-e2',
    software,
    cluster: 'hpc',
    ...more,
  };
}

const SCRIPTS: Readonly<Record<string, SbatchJob>> = {
  'python-one-node': batch({}, '/shared/env/bin/python', {
    request: { ...request, hardware: { ...hardware, device: 'cpu', nodes: 1, ranks: 1, threads: 4 } },
  }),
  'python-two-nodes': batch(
    { ...site, preamble: ['module load cuda/12'], environment: { NCCL_DEBUG: 'WARN' } },
    '/shared/env/bin/python',
  ),
  apptainer: batch(
    { ...site, gres: 'gpu:h100:8', runtime: { kind: 'apptainer', image: '/shared/train.sif', binds: ['/data:/data:ro'] } },
    '/shared/train.sif',
  ),
  pyxis: batch(
    { ...site, requeue: true, runtime: { kind: 'pyxis', image: '/shared/train.sqsh', mounts: ['/data:/data:ro'] } },
    '/shared/train.sqsh',
  ),
};

for (const [name, asked] of Object.entries(SCRIPTS))
  test(`the script of ${name} is the one that was looked at, and bash can read it`, () => {
    const file = join(ROOT, 'test', 'fixtures', 'slurm', `${name}.sh`);
    const script = batchScript(asked);
    if (process.env.ZEPHYR_GOLDEN === 'write') writeFileSync(file, script);
    assert.equal(script, readFileSync(file, 'utf8'));
    assert.equal(spawnSync('bash', ['-n', file], { encoding: 'utf8' }).stderr, '');
  });

test('the script of a driver is the one that was looked at, and bash can read it', () => {
  const file = join(ROOT, 'test', 'fixtures', 'slurm', 'driver.sh');
  const script = driverScript({
    options: slurmOptions.parse({
      ...site,
      preamble: ['module load node/24'],
      driver: { partition: 'cpu', sbatch: ['--mem=2G'] },
    }),
    labels: { ...request.labels, step: 'zephyr' },
    place: 'run-1/zephyr-e2',
    folder: '/shared/jobs/run-1/zephyr-e2',
    cluster: 'hpc',
    argv: ['/opt/node', '/opt/zephyr/dist/cli.js', 'resume', 'hf://models/org/out@run-1', '--on', '/shared/it s/target.json'],
    env: { ZEPHYR_HOME: '/shared/home', HF_TOKEN_PATH: '/home/me/.token' },
  });
  if (process.env.ZEPHYR_GOLDEN === 'write') writeFileSync(file, script);
  assert.equal(script, readFileSync(file, 'utf8'));
  assert.equal(spawnSync('bash', ['-n', file], { encoding: 'utf8' }).stderr, '');
});

test('a path with spaces and signs of the shell reaches Slurm and the shell as it is', () => {
  const script = batchScript(batch({}, "/it's here/bin/python", { folder: '/a b/$(c)%d' }));
  assert.match(script, /^#SBATCH --chdir="\/a b\/\$\(c\)%d"$/m);
  assert.match(script, /^#SBATCH --output="\/a b\/\$\(c\)%%d\/log\.txt"$/m);
  assert.ok(script.includes(`PATH='/it'\\''s here/bin':"$PATH"`));
});

test('an option of a site comes to sbatch as one word without quotes, and none begins a line of its own', () => {
  const { sbatch } = slurmOptions.parse({ sbatch: ['-p gpu', '#SBATCH --mem  0', '--constraint="a&b c"', '--exclusive'] });
  assert.deepEqual(sbatch, ['-pgpu', '--mem=0', '--constraint=a&b c', '--exclusive']);
  const script = batchScript(batch({ sbatch, constraint: 'say "h100"' }, '/env/bin/python'));
  assert.match(script, /^#SBATCH --constraint="a&b c"$/m);
  assert.match(script, /^#SBATCH --constraint="say \\"h100\\""$/m);
  const injected = 'a\ntouch /tmp/injected';
  for (const options of [
    { constraint: injected },
    { folder: `/${injected}` },
    { sbatch: [`--mem=${injected}`] },
    { gres: injected },
  ])
    assert.equal(slurmOptions.safeParse(options).success, false, JSON.stringify(options));
});

/** Runs the script of an attempt as Slurm would, with a step that says what it found in its environment. */
function start(folder: string, env: Record<string, string>, options: Record<string, unknown> = {}) {
  const control = join(folder, 'control', attemptName(request.labels));
  mkdirSync(join(folder, 'bin'), { recursive: true });
  mkdirSync(control, { recursive: true });
  writeFileSync(
    join(folder, 'bin', 'srun'),
    `#!/bin/sh\nenv >> "${folder}/ran"\necho '{"code":0,"outOfMemory":false}' > "${control}/exit.json"\n`,
    {
      mode: 0o755,
    },
  );
  writeFileSync(join(folder, 'bin', 'squeue'), '#!/bin/sh\n', { mode: 0o755 });
  const one = { ...request, hardware: { ...hardware, nodes: 1 } };
  writeFileSync(join(control, 'job.sh'), batchScript(batch(options, '/env/bin/python', { folder, request: one })));
  const path = `${join(folder, 'bin')}:/usr/bin:/bin`;
  const { status } = spawnSync('bash', [join(control, 'job.sh')], { env: { PATH: path, ...env }, encoding: 'utf8' });
  const read = (name: string) => {
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch {
      return undefined;
    }
  };
  return {
    status,
    ran: read('ran'),
    claim: read(`control/${attemptName(request.labels)}/claim.json`),
    requeued: read(`control/${attemptName(request.labels)}/requeued`),
  };
}

function withFolder(use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'zephyr-batch-'));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the first job of an attempt claims it, and no other one does anything', () => {
  withFolder((folder) => {
    const first = start(folder, { SLURM_JOB_ID: '7' });
    assert.equal(first.status, 0);
    const handle = jobHandle.parse(JSON.parse(first.claim ?? ''));
    assert.deepEqual([handle.id, handle.place, handle.labels, handle.backend], ['7', 'run-1/train-e2', request.labels, 'slurm']);
    const second = start(folder, { SLURM_JOB_ID: '8' });
    assert.deepEqual([second.status, second.ran, second.requeued], [0, first.ran, undefined]);
  });
});

test('a job that Slurm starts once more leaves at once and leaves a word', () => {
  withFolder((folder) => {
    const first = start(folder, { SLURM_JOB_ID: '7' });
    const again = start(folder, { SLURM_JOB_ID: '7', SLURM_RESTART_COUNT: '1' });
    assert.deepEqual([again.status, again.ran, again.requeued], [0, first.ran, '7.1\n']);
  });
});

test('an attempt that was given up before it began is not begun', () => {
  withFolder((folder) => {
    const control = join(folder, 'control', attemptName(request.labels));
    mkdirSync(control, { recursive: true });
    writeFileSync(join(control, 'claim.json'), '{"fenced":true}');
    assert.deepEqual(start(folder, { SLURM_JOB_ID: '7' }).ran, undefined);
  });
});

test("a job keeps what Slurm and the preamble give it of its environment, and no secret of the user's", () => {
  withFolder((folder) => {
    const env = { SLURM_JOB_ID: '7', HF_TOKEN: 'canary', SLURM_JWT: 'canary', CUDA_VISIBLE_DEVICES: '3' };
    const { ran = '' } = start(folder, env, { preamble: ['export FROM_SETUP=yes'] });
    assert.ok(!ran.includes('canary'));
    assert.match(ran, /^CUDA_VISIBLE_DEVICES=3$/m);
    assert.match(ran, /^FROM_SETUP=yes$/m);
  });
});

test('options that would undo what a job relies on are refused by name', () => {
  for (const line of [
    '--requeue',
    '--array=1-3',
    '#SBATCH --export=ALL',
    '-o out.txt',
    '--dependency=afterok:1',
    '--signal=TERM@10',
    '-N2',
    '--nodes 4',
    '--test-only',
  ])
    assert.match(slurmOptions.safeParse({ sbatch: [line] }).error?.message ?? '', /zephyr sets this itself/, line);
  for (const line of ['--exclusive', '--mem=0', '#SBATCH --mail-type=END', '--exclude=n1'])
    assert.equal(slurmOptions.safeParse({ sbatch: [line] }).success, true, line);
  assert.match(slurmOptions.safeParse({ signalSeconds: 60 }).error?.message ?? '', /at least 120/);
  for (const time of [90, '12:00:00', '2-12', '3-00:00:00']) assert.equal(slurmOptions.safeParse({ time }).success, true);
  assert.equal(slurmOptions.safeParse({ time: '3 days' }).success, false);
});
