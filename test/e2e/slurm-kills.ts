import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../rig/slurm.ts';
import { type Ended, type Place, runsAt, start, zephyr } from '../rig/zephyr.ts';
import { printedLines } from './kill-at.ts';

/** What is killed of a run on a cluster. */
export const VICTIMS = ['zephyr', 'step', 'supervisor', 'node daemon', 'controller'] as const;
export type Victim = (typeof VICTIMS)[number];

export interface Killed {
  readonly victim: Victim;
  /** so many processes were there to kill */
  readonly found: number;
}

/** Numbers between 0 and 1, the same ones for a seed (mulberry32). */
export function drawsFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Milliseconds between two looks of whoever keeps the cluster. */
const MEND_MS = 10_000;

/**
 * Kills at a moment that the draw decides, the run going on, until it has been done so often or the run is at its end. A
 * controller that is killed before it has saved a job gives its number out again, and Slurm then takes the node of both
 * out of service: somebody puts it back, as on a real cluster.
 */
export async function killAtRandom(
  killing: Killing,
  victims: readonly Victim[],
  draw: () => number,
): Promise<{ readonly ended: Ended; readonly killed: readonly Killed[] }> {
  const keeper = setInterval(() => killing.cluster.mend(), MEND_MS);
  try {
    return await killInTurn(killing, victims, draw);
  } finally {
    clearInterval(keeper);
  }
}

interface Killing {
  readonly place: Place;
  readonly args: readonly string[];
  readonly cluster: Cluster;
}

async function killInTurn(
  { place, args, cluster }: Killing,
  victims: readonly Victim[],
  draw: () => number,
): Promise<{ readonly ended: Ended; readonly killed: readonly Killed[] }> {
  const killed: Killed[] = [];
  let running = await start(place, args);
  await running.says(/runs as slurm/);
  for (const victim of victims) {
    const over = await Promise.race([running.ended, printedLines(running.child, 1 + Math.floor(draw() * 6))]);
    if (over !== undefined) break;
    await sleep(draw() * 1500);
    killed.push({ victim, found: await kill(victim, cluster, running.child.pid ?? 0, draw) });
    if (victim === 'zephyr') {
      await running.ended;
      running = await start(place, args);
    }
  }
  return { ended: await finish(place, args, await running.ended), killed };
}

/** What was interrupted once too often for one call goes on in the next, as zephyr itself says. */
async function finish(place: Place, args: readonly string[], first: Ended): Promise<Ended> {
  let ended = first;
  for (let tries = 0; ended.code !== 0 && tries < 5; tries += 1) {
    const open = (await runsAt(place)).find(({ phase }) => phase !== 'done');
    ended = await (open === undefined ? zephyr(place, ...args) : zephyr(place, 'resume', open.id));
  }
  return ended;
}

async function kill(victim: Victim, cluster: Cluster, zephyrs: number, draw: () => number): Promise<number> {
  if (victim === 'zephyr') return killAll([zephyrs]);
  if (victim === 'node daemon' || victim === 'controller') {
    await cluster.signal(victim === 'controller' ? 'slurmctld' : draw() < 0.5 ? 'n1' : 'n2', 'SIGKILL');
    await sleep(draw() * 3000);
    cluster.mend();
    return 1;
  }
  const there = await ofCluster(cluster, victim === 'step' ? 'slurmstepd' : 'supervise.py');
  return killAll(there.filter((_, index) => index === Math.floor(draw() * there.length)));
}

function killAll(pids: readonly number[]): number {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  return pids.length;
}

/** Kills at once what could say that a job has ended: nobody is left but Slurm, which goes on calling it running. */
export async function killSilently(cluster: Cluster): Promise<void> {
  killAll([...(await ofCluster(cluster, 'slurmstepd')), ...(await ofCluster(cluster, 'supervise.py'))]);
}

/** Processes of this cluster whose program, or its first argument, ends with the name. */
async function ofCluster(cluster: Cluster, name: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    const [, script = '', ...more] = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const program = await readlink(`/proc/${pid}/exe`).catch(() => '');
    // a rank is begun by the same file
    const isNamed = program.includes(name) || (script.endsWith(name) && !more.includes('rank'));
    if (isNamed && environment.split('\0').includes(`SLURM_CONF=${cluster.conf}`)) found.push(Number(pid));
  }
  return found;
}
