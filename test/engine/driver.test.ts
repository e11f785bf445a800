import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { openBackend } from '../../src/backends/registry.ts';
import { driverIsGone, driverState } from '../../src/engine/driver.ts';
import type { RunState } from '../../src/runs/run-state.ts';
import { type FakeQueue, fakeQueue } from '../rig/fake-queue.ts';
import { layJob, ROOT } from '../rig/job-rig.ts';
import { openRig } from './engine-rig.ts';

test('a run is left to its driver as long as that may live, and taken up by its next start or once it is over', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const jobs = join(rig.folder, 'shared');
  const place = { host: 'login-1/boot', root: ROOT, cache: join(rig.folder, 'cache'), jobs, hub: rig.beside };
  const backend = await openBackend({ backend: 'queue', options: { python: 'python3' } }, place, { queue: fakeQueue });
  const queue = backend.scheduler as FakeQueue;
  const { state: begun } = await rig.begin();
  const labels = { run: begun.run, stage: begun.stage, step: 'zephyr', epoch: 3 };
  const handle = await queue.submit(await layJob(jobs, 'graceful', {}, labels));
  t.after(() => queue.cancel(handle, 0));
  const driver = { epoch: 3, backend: queue.name, host: queue.host, handle };
  const run: RunState = { ...begun, driver };
  const engine = { ...rig.engine, backend };

  await assert.rejects(driverIsGone(engine, run), { exit: 'conflict', message: /job \S+ on cluster-a works on it \(running\)/ });
  queue.silentFor = 1;
  await assert.rejects(driverIsGone(engine, run), { exit: 'conflict', message: /Unable to contact/ });
  assert.equal(await driverIsGone({ ...engine, driver }, run), true);
  assert.equal(await driverIsGone({ ...engine, driver }, { ...run, driver: { ...driver, handle: null } }), true);
  const other = { ...driver, handle: { ...handle, id: 'another' } };
  await assert.rejects(driverIsGone({ ...engine, driver: other }, run), { exit: 'conflict' });
  assert.equal(await driverIsGone(engine, begun), false);
  // what came of it stands in the state
  for (const phase of ['failed', 'cancelled', 'done'] as const)
    assert.equal(await driverState(queue, { ...run, phase }), undefined);
  const elsewhere = { ...run, driver: { ...driver, host: 'cluster-b' } };
  await assert.rejects(driverIsGone(engine, elsewhere), { exit: 'conflict', message: /cluster-b works on it, out of sight/ });

  await queue.cancel(handle, 0);
  assert.equal(await driverIsGone(engine, run), true);
});
