import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Place, start, zephyr } from '../rig/zephyr.ts';

/** Starts zephyr and, when it prints the line, calls `kill`; returns when zephyr has ended. */
export async function killAt(
  place: Place,
  args: readonly string[],
  at: RegExp,
  kill: (child: ChildProcess) => Promise<void>,
): Promise<void> {
  const { child, ended, says } = await start(place, args);
  await says(at);
  await kill(child);
  await ended;
}

/** Resolves when zephyr has printed so many lines: a measure of how far it is on a machine of any speed. */
export async function printedLines(child: ChildProcess, lines: number): Promise<undefined> {
  let left = lines;
  const seen = Promise.withResolvers<undefined>();
  child.stderr?.on('data', (data: Buffer) => {
    left -= data.toString().split('\n').length - 1;
    if (left <= 0) seen.resolve(undefined);
  });
  return seen.promise;
}

/** SIGKILL to every process that belongs to a job of this place: supervisors and ranks. */
export async function killJobs(place: Place): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    if (cwd.startsWith(join(place.home, 'jobs'))) process.kill(Number(pid), 'SIGKILL');
  }
}

/** The ID of the run that is not at its end. */
export async function unfinished(place: Place): Promise<string> {
  const ended = await zephyr(place, 'status', '--json');
  const runs = JSON.parse(ended.stdout) as { id: string; phase: string }[];
  const open = runs.find(({ phase }) => phase !== 'done');
  assert.ok(open, `no unfinished run among ${ended.stdout}`);
  return open.id;
}
