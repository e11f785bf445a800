import { execFile, execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Place } from '../rig/zephyr.ts';

const run = promisify(execFile);

export const IMAGE = process.env.ZEPHYR_TEST_IMAGE ?? 'zephyr-train:test';

/** Every container of the runs of this place, ended ones too; other tests have theirs on the same engine. */
export async function containers(place: Place): Promise<string[]> {
  const runs = (await readdir(join(place.home, 'jobs')).catch(() => [])).filter((name) => name.startsWith('run-'));
  const listed = await Promise.all(
    runs.map((id) => run('docker', ['ps', '--all', '--quiet', '--filter', `label=zephyr.run=${id}`])),
  );
  return listed.flatMap(({ stdout }) => stdout.split('\n')).filter((id) => id !== '');
}

export async function killContainers(place: Place): Promise<void> {
  for (const id of await containers(place)) await run('docker', ['kill', id]).catch(() => undefined);
}

/** Why the tests that train in containers are skipped, if they are. */
export function withoutImage(): string | undefined {
  try {
    execFileSync('docker', ['image', 'inspect', IMAGE], { stdio: 'ignore' });
    return undefined;
  } catch {
    return `docker has no image ${IMAGE}: scripts/ci/docker-image.sh makes it`;
  }
}
