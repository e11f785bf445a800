import { readFile, readlink } from 'node:fs/promises';

/**
 * A text that names this process and no later one with the same pid: pid, start time in clock ticks since boot (field 22
 * of /proc/PID/stat), boot, and the namespace that the pid counts in. Where there is no /proc the pid alone has to do.
 * Shorter than 60 bytes.
 */
export async function ownMark(): Promise<string> {
  return [process.pid, await startTime(process.pid), await bootId(), await pidNamespace()].join(':');
}

/** Whether the process of a mark is still there. One in another container cannot be seen and is taken for a living one. */
export async function isAlive(mark: string): Promise<boolean> {
  const [pid = '', started, boot, namespace] = mark.split(':');
  if (!/^\d+$/.test(pid)) return true;
  if (boot !== (await bootId())) return false;
  if (namespace !== (await pidNamespace())) return true;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return (await startTime(Number(pid))) === started;
}

/** A killed process that nobody has waited for yet (state Z) has none any more. */
async function startTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // the second field, the program's name in parentheses, may itself hold spaces and parentheses
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? 'gone' : (fields[19] ?? '');
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).slice(0, 8);
}

/** Its number, of `pid:[4026531836]`. */
async function pidNamespace(): Promise<string> {
  return /\d+/.exec(await readlink('/proc/self/ns/pid').catch(() => ''))?.[0] ?? '';
}
