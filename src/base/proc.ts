import { readFileSync, readlinkSync } from 'node:fs';

/** What /proc does not tell: of a process that is gone, of another user's, or of any where there is no /proc, as on macOS. */
const UNTOLD: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL']);

/**
 * When the process began, in clock ticks since boot: field 22 of /proc/PID/stat, see proc(5). With it a process id names
 * one process for good; alone it is handed out again. A killed process that its parent has not waited for yet (state Z, for good in
 * a container whose first process waits for none) is gone.
 */
export function startTime(pid: number): string | undefined {
  const stat = told(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? '';
  // the second field, the program's name in parentheses, may itself hold spaces and parentheses
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** The start of this machine, in 8 hex digits. */
export function bootId(): string | undefined {
  return told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'))?.slice(0, 8);
}

/** What this process's ids are counted in, the number of `pid:[4026531836]`; a container has one of its own. */
export function pidNamespace(): string | undefined {
  return told(() => /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0]);
}

function told<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (UNTOLD.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
