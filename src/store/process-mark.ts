import { bootId, pidNamespace, startTime } from '../base/proc.ts';

/**
 * A text that names this process and no later one with the same pid: pid, start time, boot, and the namespace that the pid
 * counts in. Where there is no /proc the pid alone has to do. Shorter than 60 bytes.
 */
export function ownMark(): string {
  return [process.pid, startTime(process.pid), bootId(), pidNamespace()].join(':');
}

/** Whether the process of a mark is still there. One in another container cannot be seen and is taken for a living one. */
export function isAlive(mark: string): boolean {
  const [pid = '', started, boot, namespace] = mark.split(':');
  if (!/^\d+$/.test(pid)) return true;
  if (boot !== (bootId() ?? '')) return false;
  if (namespace !== (pidNamespace() ?? '')) return true;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return (startTime(Number(pid)) ?? '') === started;
}
