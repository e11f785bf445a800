import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostId } from '../../src/base/host-id.ts';
import { beginRun } from '../../src/engine/open-run.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { targetSpec } from '../../src/recipe/target.ts';
import { thisProcess } from '../../src/runs/owner.ts';
import { newRun } from '../rig/new-run.ts';
import { stages } from '../rig/stages.ts';
import { missing, newPlace, zephyr } from '../rig/zephyr.ts';

test('a run whose zephyr was killed is running as long as its job may be, and stopped once that is gone', {
  skip: missing(),
}, async () => {
  const place = await newPlace();
  const hub = await openLocalHub(join(place.home, 'hub'));
  const run = await beginRun(hub, () => new Date(), newRun('test/out', targetSpec(stages).parse({ backend: 'process' })));
  const handle = (host: string) => ({
    backend: 'process',
    host,
    id: '1:1',
    place: join(place.home, 'jobs', 'gone'),
    labels: { run: run.state.run, stage: 'dsft', step: 'train', epoch: 1 },
    startedAt: '2026-01-01T00:00:00Z',
  });
  const owner = { ...thisProcess(), started: '1' };
  const told = async (host: string) => {
    await run.advance({ ...run.state, owner, job: { step: 'train', epoch: 1, handle: handle(host) } }, 'run');
    const { code, stdout } = await zephyr(place, 'status', `hf://models/test/out@${run.state.run}`, '--json');
    return { code, shown: (JSON.parse(stdout) as { shown: string }).shown };
  };
  assert.deepEqual(await told('far-away/12345678'), { code: 7, shown: 'running' });
  assert.deepEqual(await told(hostId()), { code: 75, shown: 'stopped' });
});
