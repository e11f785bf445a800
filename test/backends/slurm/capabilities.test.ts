import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FolderWorkspace } from '../../../src/backends/folder-workspace.ts';
import { Cluster } from '../../../src/backends/slurm/cluster.ts';
import { localCommands } from '../../../src/backends/slurm/commands.ts';
import { slurmOptions } from '../../../src/backends/slurm/options.ts';
import { openLocalHub } from '../../../src/hub/local-hub.ts';
import { ROOT } from '../../rig/job-rig.ts';
import { missing, python } from '../../rig/zephyr.ts';

test('a login node is asked once what its interpreter brings, and never of GPUs', { skip: missing() ?? false }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-slurm-'));
  t.after(() => rm(folder, { recursive: true }));
  const workspace = new FolderWorkspace('shared-disk', join(folder, 'jobs'), await openLocalHub(join(folder, 'hub')));
  const commands = localCommands();
  let asked = 0;
  const run: typeof commands = async (argv) => {
    asked += 1;
    return await commands(argv);
  };
  const open = (options: object) =>
    new Cluster({ name: 'hpc', options: slurmOptions.parse(options), run, workspace, root: ROOT });
  const cluster = open({ runtime: { kind: 'python', python } });
  for (let time = 0; time < 2; time += 1) {
    const found = await cluster.capabilities('train', false);
    assert.match(found?.lacks.flash_attention_2 ?? '', /^the package flash-attn is not installed/);
    assert.match(found?.remedy ?? '', /bake_kernels\.py$/);
  }
  assert.equal(asked, 1);
  assert.equal(await cluster.capabilities('train', true), undefined);
  assert.equal(await open({ login: 'gate', runtime: { kind: 'python', python } }).capabilities('train', false), undefined);
});
