import { ZephyrError } from '../../errors.ts';
import type { Hub } from '../../hub/hub.ts';
import type { Backend } from '../backend.ts';
import { FolderWorkspace } from '../folder-workspace.ts';
import { Cluster, clusterName, UNSEEN } from './cluster.ts';
import { localCommands, sshCommands } from './commands.ts';
import type { SlurmOptions } from './options.ts';
import { SlurmScheduler } from './scheduler.ts';

interface Place {
  readonly root: string;
  readonly cache: string;
  readonly jobs: string;
  readonly hub: Hub;
}

/** A cluster whose shared disk this machine sees. */
export async function openSlurm(options: SlurmOptions, { root, cache, jobs, hub }: Place): Promise<Backend> {
  const folder = options.folder ?? jobs;
  const { login, sshConfig: config } = options;
  const run = login === undefined ? localCommands() : sshCommands({ login, config, cache });
  const workspace = new FolderWorkspace('shared-disk', folder, hub);
  const name = await clusterName(run, folder, options).catch((error: unknown) => {
    // how a run stands is asked from machines too that see neither the cluster nor its disk
    if (error instanceof ZephyrError) return UNSEEN;
    throw error;
  });
  return { scheduler: new SlurmScheduler(new Cluster({ name, options, run, workspace, root })), workspace };
}
