import { readFile } from 'node:fs/promises';

/**
 * A text that names this process and no later one with the same pid: pid, boot, and start time in clock ticks since boot
 * (field 22 of /proc/PID/stat). Where there is no /proc the pid alone has to do.
 */
export async function ownMark(): Promise<string> {
  return JSON.stringify(await describe(process.pid));
}

/** Whether the process of a mark is still there. An unreadable mark is taken for a living one: it is being written. */
export async function isAlive(mark: string): Promise<boolean> {
  let was: Awaited<ReturnType<typeof describe>>;
  try {
    was = JSON.parse(mark) as typeof was;
  } catch {
    return true;
  }
  try {
    process.kill(was.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const is = await describe(was.pid);
  return is.boot === was.boot && is.start === was.start;
}

async function describe(pid: number): Promise<{ pid: number; boot: string; start: string }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  // the second field, the program's name in parentheses, may itself hold spaces and parentheses
  const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  return { pid, boot: boot.trim(), start };
}
