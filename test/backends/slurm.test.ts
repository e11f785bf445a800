import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attemptName } from '../../src/backends/job-folder.ts';
import type { SlurmScheduler } from '../../src/backends/slurm/scheduler.ts';
import type { JobHandle } from '../../src/model/job.ts';
import { schedulerContract } from '../contracts/scheduler.ts';
import { missingSlurm } from '../rig/slurm.ts';
import { python } from '../rig/zephyr.ts';

schedulerContract({
  name: 'slurm',
  options: { runtime: { kind: 'python', python } },
  skip: missingSlurm(),
  torch: existsSync(python),
  isCluster: true,
  hurry: ({ scheduler }) => {
    (scheduler as SlurmScheduler).askEveryMs = 300;
  },
  killSupervisor: async (handle) => {
    process.kill(await supervisorOf(handle), 'SIGKILL');
  },
});

/** The process of this machine that supervises an attempt. */
async function supervisorOf({ labels }: JobHandle): Promise<number> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const [program = '', script = ''] = argv.split('\0');
    if (program.endsWith('python') && script.endsWith(join(attemptName(labels), 'supervise.py'))) return Number(pid);
  }
  throw new Error(`Cannot find the supervisor of ${attemptName(labels)}`);
}
