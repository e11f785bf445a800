import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const IMAGE = process.env['ZEPHYR_TEST_IMAGE'] ?? 'zephyr-train:test';

/** Every container of a zephyr on this machine, ended ones too. */
export async function containers(): Promise<string[]> {
  const { stdout } = await run('docker', ['ps', '--all', '--quiet', '--filter', 'label=zephyr.run']);
  return stdout.split('\n').filter((id) => id !== '');
}

export async function killContainers(): Promise<void> {
  for (const id of await containers()) await run('docker', ['kill', id]).catch(() => undefined);
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
