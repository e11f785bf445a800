import assert from 'node:assert/strict';
import { readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FolderWorkspace } from '../../src/backends/folder-workspace.ts';
import { HubWorkspace, hubJobArgv } from '../../src/backends/hub-workspace.ts';
import type { Hub } from '../../src/hub/hub.ts';
import { parseRef } from '../../src/model/artifact.ts';
import { jobBranch, parseJobBranch } from '../../src/model/branches.ts';
import { jobHandle } from '../../src/model/job.ts';
import { workspaceContract } from '../contracts/workspace.ts';
import { ROOT } from '../rig/job-rig.ts';
import { folderWriter, hubWriter } from '../rig/job-writer.ts';

for (const kind of ['local', 'shared-disk'] as const)
  workspaceContract({
    kind,
    open: (hub, folder) => {
      const workspace = new FolderWorkspace(kind, folder, hub);
      return { workspace, writer: (place) => folderWriter(workspace, place) };
    },
    // another home of the machine has another root; another machine mounts the shared one at another path
    elsewhere: async (hub, folder, moved) => {
      if (kind === 'shared-disk') await symlink(folder, moved);
      return new FolderWorkspace(kind, moved, hub);
    },
    read: (workspace, _, place, path) => readFile(join((workspace as FolderWorkspace).folder(place), path), 'utf8'),
  });

const openHubWorkspace = (hub: Hub) => new HubWorkspace({ hub, root: ROOT, pollMs: 1, settleMs: 5 });

workspaceContract({
  kind: 'hub',
  open: (hub) => ({ workspace: openHubWorkspace(hub), writer: (place) => hubWriter(hub, place) }),
  elsewhere: async (hub) => openHubWorkspace(hub),
  // a checkpoint is brought by the job itself, from where the order says
  read: async (_, hub, place, path) => {
    const { revision, ...repo } = parseRef(place) as NonNullable<ReturnType<typeof parseRef>>;
    const ref = { ...repo, commit: (await hub.resolve({ ...repo, revision })) as string };
    const text = async (of: typeof ref, file: string) => Buffer.from((await hub.read(of, file)) ?? []).toString();
    const { checkpoint } = JSON.parse(await text(ref, 'order.json'));
    if (checkpoint === null || !path.startsWith(checkpoint.folder)) return await text(ref, path);
    return await text(checkpoint, checkpoint.under + path.slice(checkpoint.folder.length));
  },
});

test('a job on a Hub is started with no token among its arguments', async () => {
  const commit = 'c'.repeat(40);
  const hub = { resolve: async () => commit, tree: async () => [] } as unknown as Hub;
  const argv = await hubJobArgv(openHubWorkspace(hub), 'hf://models/org/out@job-x', '/scratch');
  assert.deepEqual(argv.slice(2), ['model', 'org/out', 'job-x', commit, '/scratch']);
  assert.ok(!argv.join(' ').includes('hf_t'));
});

test('the branch of a job says which run and attempt it is of', () => {
  const run = `run-${'0'.repeat(26)}`;
  const branch = jobBranch({ run, step: 'train-more', epoch: 12 });
  assert.deepEqual(parseJobBranch(branch), { run, name: 'train-more-e12', epoch: 12 });
  for (const other of ['main', run, `job-${'0'.repeat(26)}-train`]) assert.equal(parseJobBranch(other), undefined);
});

test('a handle that an earlier version wrote is read, its folder being its place', () => {
  const labels = { run: 'run-1', stage: 'dsft', step: 'train', epoch: 1 };
  const handle = { backend: 'process', host: 'here/boot', id: '1:2', labels, startedAt: '2026-01-01T00:00:00Z' };
  assert.deepEqual(jobHandle.parse({ ...handle, folder: '/jobs/run-1/train-e1' }), { ...handle, place: '/jobs/run-1/train-e1' });
  assert.deepEqual(jobHandle.parse({ ...handle, place: 'run-1/train-e1' }), { ...handle, place: 'run-1/train-e1' });
  assert.equal(jobHandle.safeParse(handle).success, false);
});
