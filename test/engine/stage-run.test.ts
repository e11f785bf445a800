import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findUnfinished } from '../../src/engine/stage-run.ts';
import { ZephyrError } from '../../src/errors.ts';
import type { Hub } from '../../src/hub/hub.ts';
import { STATE_FILE } from '../../src/runs/run-state.ts';
import { openRig } from './engine-rig.ts';

test('an unfinished run is found past one that cannot be read, and never passed over because a Hub fails', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  const hub = rig.beside;
  const run = await rig.begin();
  const { repo, key } = run.state;
  const later = `run-${'z'.repeat(26)}`;
  await hub.createBranch(repo, later, run.head);
  for (const content of ['{"version": 2}', '{']) {
    const parent = (await hub.resolve({ ...repo, revision: later })) ?? '';
    await hub.commit({ repo, branch: later, parent, message: 'x', add: [{ path: STATE_FILE, content }] });
    assert.equal((await findUnfinished(hub, repo, key))?.state.run, run.state.run);
  }
  const failing: Hub = {
    ...hub,
    read: async () => {
      throw new ZephyrError('Cannot read, the Hub answered 503', { exit: 'temporary' });
    },
  };
  await assert.rejects(findUnfinished(failing, repo, key), /answered 503/);
});
