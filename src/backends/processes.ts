import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { startTime } from '../base/proc.ts';

const LINUX = process.platform === 'linux';

/** `pid:start time` names one process for good, where a pid alone is used again. */
export async function isProcessAlive(id: string): Promise<boolean> {
  const split = id.indexOf(':');
  return (await startOf(Number(id.slice(0, split)))) === id.slice(split + 1);
}

/** As supervise.py writes it: clock ticks since boot, elsewhere the date that `ps` gives; undefined for a dead one. */
async function startOf(pid: number): Promise<string | undefined> {
  if (LINUX) return startTime(pid);
  return (await execa('ps', ['-o', 'lstart=', '-p', String(pid)], { reject: false })).stdout.trim() || undefined;
}

/**
 * Kills every process that carries the job's marker in its environment: what is left when a supervisor was killed
 * outright. Needs /proc; on other systems such ranks are not found. Returns whether there were any.
 */
export async function killMarked(mark: string): Promise<boolean> {
  if (!LINUX) return false;
  for (let round = 0; ; round += 1) {
    const pids = await marked(`ZEPHYR_JOB=${mark}`);
    if (pids.length === 0) return round > 0;
    for (const pid of pids) signalIfThere(pid, 'SIGKILL');
    await sleep(10);
  }
}

async function marked(entry: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environ = await readFile(`/proc/${name}/environ`, 'latin1');
      if (environ.split('\0').includes(entry)) found.push(Number(name));
    } catch (error) {
      // a process of another user cannot be one of ours
      if (!isGone(error) && !['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return found;
}

export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '');
}
