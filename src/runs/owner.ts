import * as z from 'zod';
import { hostId, isEarlierBoot } from '../base/host-id.ts';
import { startTime } from '../base/proc.ts';

/** One process on one boot of one machine; a process id alone is handed out again. */
export const owner = z.object({ host: z.string(), pid: z.int().positive(), started: z.string() });
export type Owner = z.infer<typeof owner>;

export function thisProcess(): Owner {
  return { host: hostId(), pid: process.pid, started: startOf(process.pid) ?? 'unknown' };
}

/** `unknown` of an owner on another machine or in another container: no process there is ever declared dead from here. */
export function ownerLiveness(of: Owner): 'alive' | 'dead' | 'unknown' {
  const here = hostId();
  if (of.host !== here) return isEarlierBoot(of.host, here) ? 'dead' : 'unknown';
  const started = startOf(of.pid);
  return started !== undefined && (of.started === 'unknown' || started === of.started) ? 'alive' : 'dead';
}

/** The start of a process; without /proc zephyr knows only whether it takes signals. */
function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') return startTime(pid);
  try {
    process.kill(pid, 0);
    return 'unknown';
  } catch {
    return undefined;
  }
}
