import assert from 'node:assert/strict';
import { type ChildProcess, execFile } from 'node:child_process';
import { glob, mkdir, readdir, readlink, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Place, runsAt, start } from '../rig/zephyr.ts';

const run = promisify(execFile);

/**
 * Starts zephyr and, when it prints the line, calls `kill`; returns when zephyr has ended. `endless`: the line at which a
 * training begins that is not to come to its end before.
 */
export async function killAt(
  place: Place,
  args: readonly string[],
  at: RegExp,
  kill: (child: ChildProcess) => Promise<void>,
  endless?: RegExp,
): Promise<void> {
  const { child, ended, says } = await start(place, args);
  if (endless !== undefined) {
    await says(endless);
    await keepFromEnding(place);
  }
  await says(at);
  await kill(child);
  await ended;
}

/** Resolves when zephyr has printed so many lines: a measure of how far it is on a machine of any speed. */
export async function printedLines(child: ChildProcess, lines: number): Promise<undefined> {
  let left = lines;
  const seen = Promise.withResolvers<undefined>();
  child.stderr?.on('data', (text: string) => {
    left -= text.split('\n').length - 1;
    if (left <= 0) seen.resolve(undefined);
  });
  return seen.promise;
}

/** The config of the model that was begun last goes into a pipe that nobody reads: its training waits there to be killed. */
export async function keepFromEnding(place: Place): Promise<void> {
  const begun: { readonly folder: string; readonly at: number }[] = [];
  for await (const file of glob(join(place.home, 'jobs', '*', 'train-e*', 'job.json')))
    begun.push({ folder: dirname(file), at: (await stat(file)).mtimeMs });
  const last = begun.reduce((a, b) => (a.at > b.at ? a : b));
  await mkdir(join(last.folder, 'out'), { recursive: true });
  await run('mkfifo', [join(last.folder, 'out', 'config.json')]);
}

/** SIGKILL to every process that belongs to a job of this place, supervisors and ranks; whether there were any. */
export async function killJobs(place: Place): Promise<boolean> {
  let any = false;
  // one may be started between the look and the kill
  for (let killed = true; killed; ) {
    killed = false;
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      if (!cwd.startsWith(join(place.home, 'jobs'))) continue;
      killed = true;
      any = true;
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }
  return any;
}

/** The ID of the run that is not at its end. */
export async function unfinished(place: Place): Promise<string> {
  const runs = await runsAt(place);
  const open = runs.find(({ phase }) => phase !== 'done');
  assert.ok(open, `no unfinished run among ${JSON.stringify(runs)}`);
  return open.id;
}
