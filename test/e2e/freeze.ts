import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type JobHandle, jobHandle } from '../../src/model/job.ts';
import { type Place, zephyr } from '../rig/zephyr.ts';

/**
 * Stops the training process that was started last, until what is returned is called: on a machine of any speed it is at
 * work when something happens to its run.
 */
export async function freezeTraining(t: TestContext, place: Place): Promise<() => void> {
  const handles: JobHandle[] = [];
  for await (const path of glob(join(place.home, 'jobs', '*', 'train-e*', 'control', '*', 'claim.json')))
    handles.push(jobHandle.parse(JSON.parse(await readFile(path, 'utf8'))));
  const last = handles.reduce((a, b) => (a.startedAt > b.startedAt ? a : b));
  // a supervisor leads a group of its own
  const group = -Number(last.id.split(':')[0]);
  const thaw = (): void => {
    try {
      process.kill(group, 'SIGCONT');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  process.kill(group, 'SIGSTOP');
  t.after(thaw);
  return thaw;
}

/** Resolves when it is written down that the run is cancelled: its job has got SIGTERM, or gets it now. */
export async function cancelled(place: Place, id: string): Promise<void> {
  while (!/cancelled/.test((await zephyr(place, 'status', id)).stdout));
}
