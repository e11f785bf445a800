import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { hostId, isEarlierBoot } from '../base/host-id.ts';

/** One process on one boot of one machine; a process id alone is handed out again. */
export const owner = z.object({ host: z.string(), pid: z.int().positive(), started: z.string() });
export type Owner = z.infer<typeof owner>;

export function thisProcess(): Owner {
  return { host: hostId(), pid: process.pid, started: startTime(process.pid) ?? 'unknown' };
}

/** `unknown` when the owner lives on another machine or in another container: nobody there is ever declared dead from here. */
export function ownerLiveness(of: Owner): 'alive' | 'dead' | 'unknown' {
  if (of.host !== hostId()) return isEarlierBoot(of.host, hostId()) ? 'dead' : 'unknown';
  const started = startTime(of.pid);
  return started !== undefined && (of.started === 'unknown' || started === of.started) ? 'alive' : 'dead';
}

/**
 * Field 22 of /proc/PID/stat, clock ticks since boot; where there is no /proc, whether the process takes signals. A killed
 * process that nobody has waited for yet (state Z, for good in a container whose first process waits for none) is dead.
 */
function startTime(pid: number): string | undefined {
  const stat = readOr(`/proc/${pid}/stat`, '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (stat !== '') return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  if (process.platform === 'linux') return undefined;
  try {
    process.kill(pid, 0);
    return 'unknown';
  } catch {
    return undefined;
  }
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
