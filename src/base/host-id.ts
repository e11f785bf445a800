import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { bootId, pidNamespace } from './proc.ts';

/** The namespace of pids that every machine starts with, on Linux. */
const FIRST_NAMESPACE = '4026531836';

/**
 * `machine/boot`: where a process id names one process. Machines may share a host name, so a hash of
 * /etc/machine-id is part of its name; a container has process ids of its own, so its namespace belongs to the boot.
 */
export function hostId(): string {
  const machine = machineId();
  // machine-id(5) asks that the id itself is not shown to others
  const mark = machine === '' ? '' : `-${createHash('sha256').update(`zephyr ${machine}`).digest('hex').slice(0, 8)}`;
  const namespace = pidNamespace() ?? FIRST_NAMESPACE;
  return `${hostname()}${mark}/${bootId() ?? 'boot'}${namespace === FIRST_NAMESPACE ? '' : `.${namespace}`}`;
}

/**
 * Whether `of` is the machine of `now` before it was started again: then no process of it is left. Of a container that
 * cannot be said, since another machine may have one of the same name.
 */
export function isEarlierBoot(of: string, now: string): boolean {
  const [[machine, boot = ''], [machineNow, bootNow = '']] = [of.split('/'), now.split('/')];
  return machine === machineNow && boot !== bootNow && !boot.includes('.') && !bootNow.includes('.');
}

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    return '';
  }
}
