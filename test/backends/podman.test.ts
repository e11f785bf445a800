import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { schedulerContract } from '../contracts/scheduler.ts';

const IMAGE = process.env.ZEPHYR_TEST_IMAGE ?? 'zephyr-train:test';

const podman = (...argv: string[]) => spawnSync('podman', argv, { encoding: 'utf8' });
const reason =
  podman('version').status !== 0
    ? 'no podman here'
    : podman('image', 'inspect', IMAGE).status !== 0
      ? `no image ${IMAGE} here`
      : undefined;
if (reason !== undefined && process.env.ZEPHYR_TEST_REQUIRE?.split(',').includes('podman'))
  throw new Error(`Cannot test the podman backend: ${reason}`);

schedulerContract({
  name: 'podman',
  options: { image: IMAGE },
  skip: reason,
  torch: reason === undefined,
  killSupervisor: async (handle) => {
    assert.equal(podman('kill', '--signal', 'KILL', handle.id).status, 0);
  },
});
