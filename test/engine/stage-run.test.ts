import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findUnfinished, readRun } from '../../src/engine/read-run.ts';
import { StageRun } from '../../src/engine/stage-run.ts';
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

test('a commit that landed while the Hub went away for good is known as our own when the run goes on', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  let answers = true;
  const hub: Hub = {
    ...rig.beside,
    commit: async (request) => {
      const outcome = await rig.beside.commit(request);
      if (!answers) throw new ZephyrError('The Hub does not answer', { exit: 'temporary' });
      return outcome;
    },
  };
  const run = await rig.begin({ ...rig.engine, hub });
  answers = false;
  for (const message of ['first', 'second'])
    await assert.rejects(run.advance({ ...run.state, epoch: run.state.epoch + 1 }, message), /does not answer/);
  answers = true;
  await run.advance({ ...run.state, phase: 'failed', owner: null }, 'third');
  assert.equal((await readRun(rig.beside, run.state.repo, run.state.run))?.state.phase, 'failed');
});

test('a branch that somebody else has written to while the Hub was away is left to them', async (t) => {
  const rig = await openRig();
  t.after(rig.close);
  let answers = false;
  const hub: Hub = {
    ...rig.beside,
    commit: async (request) => {
      if (!answers) throw new ZephyrError('The Hub does not answer', { exit: 'temporary' });
      return await rig.beside.commit(request);
    },
  };
  const other = await rig.begin();
  const { repo, run } = other.state;
  const cut = new StageRun(hub, () => new Date(), other.state, other.head);
  await assert.rejects(cut.advance({ ...cut.state, epoch: 1 }, 'lost'), /does not answer/);
  const owner = other.state.owner === null ? null : { ...other.state.owner, pid: 1 };
  await other.advance({ ...other.state, epoch: 1, owner }, 'by another');
  answers = true;
  await assert.rejects(cut.advance({ ...cut.state, epoch: 2 }, 'late'), /another zephyr has written to it/);
  assert.equal((await readRun(rig.beside, repo, run))?.head, other.head);
});
