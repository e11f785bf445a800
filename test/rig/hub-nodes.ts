import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type HubWorkspace, hubJobArgv } from '../../src/backends/hub-workspace.ts';
import type { Scheduler } from '../../src/backends/scheduler.ts';
import type { JobHandle, JobLabels, JobState } from '../../src/model/job.ts';

/** Machines that share nothing with this one but a Hub: each job gets an empty disk, the address of the Hub and a token. */
export class HubNodes implements Scheduler {
  readonly name = 'nodes';
  readonly host = 'cloud';
  readonly askEveryMs = 50;
  readonly neverStartsMs = 0;
  readonly workspace: HubWorkspace;
  readonly of: { readonly python: string; readonly disks: string; readonly url: string; readonly token: string };
  readonly jobs = new Map<string, { readonly handle: JobHandle; readonly child: ChildProcess }>();

  constructor(workspace: HubWorkspace, of: HubNodes['of']) {
    this.workspace = workspace;
    this.of = of;
  }

  async check(): Promise<void> {}

  async environment(): Promise<string> {
    return '0'.repeat(64);
  }

  async hardware() {
    return { device: 'cpu', cores: 1 } as const;
  }

  async submit({ place, labels }: Parameters<Scheduler['submit']>[0]): Promise<JobHandle> {
    const disk = join(this.of.disks, idOf(labels));
    mkdirSync(disk, { recursive: true });
    const argv = await hubJobArgv(this.workspace, place, join(disk, 'job'));
    const env = {
      PATH: `${dirname(this.of.python)}:/usr/bin:/bin`,
      HOME: disk,
      HF_ENDPOINT: this.of.url,
      HF_TOKEN: this.of.token,
    };
    const child = spawn(this.of.python, argv, { env, cwd: disk, stdio: ['ignore', 'inherit', 'inherit'] });
    const handle = { backend: this.name, host: this.host, id: idOf(labels), place, labels, startedAt: new Date().toISOString() };
    this.jobs.set(handle.id, { handle, child });
    return handle;
  }

  async find(labels: JobLabels): Promise<JobHandle | undefined> {
    return this.jobs.get(idOf(labels))?.handle;
  }

  async state({ id }: JobHandle): Promise<JobState> {
    const child = this.jobs.get(id)?.child;
    if (child === undefined) return { state: 'absent' };
    return child.exitCode === null ? { state: 'running' } : { state: 'exited', code: child.exitCode, outOfMemory: false };
  }

  async cancel(handle: JobHandle): Promise<JobState> {
    const child = this.jobs.get(handle.id)?.child;
    if (child !== undefined && child.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    return await this.state(handle);
  }

  async forget(): Promise<void> {}

  reaches(): true {
    return true;
  }
}

function idOf({ run, step, epoch }: JobLabels): string {
  return `${run}-${step}-${epoch}`;
}
