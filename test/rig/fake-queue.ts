import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { FolderWorkspace } from '../../src/backends/folder-workspace.ts';
import { ProcessScheduler } from '../../src/backends/process.ts';
import { defineBackend } from '../../src/backends/registry.ts';
import type { NodeHardware, Scheduler, SubmitRequest } from '../../src/backends/scheduler.ts';
import { ZephyrError } from '../../src/errors.ts';
import { isAlive, type JobHandle, type JobLabels, type JobSite, type JobState } from '../../src/model/job.ts';

const options = z.strictObject({ python: z.string(), cluster: z.string().default('cluster-a') });

/** A backend as anybody may add one: this value in the list of backends is all that zephyr needs of it. */
export const fakeQueue = defineBackend({
  options,
  nodes: 4,
  open: async ({ python, cluster }, { jobs, hub, root }) => {
    const workspace = new FolderWorkspace('shared-disk', jobs, hub);
    workspace.pollMs = 5;
    return { scheduler: new FakeQueue(python, cluster, workspace, root), workspace };
  },
});

/** Why jobs wait, and whether they ever start. */
interface Hold {
  readonly why: string;
  readonly canStart: boolean | 'unknown';
}

/**
 * A queue like that of a cluster: its jobs are in a spool folder on the shared disk, wait there while it is held, and then run
 * on its one node, this machine. It is seen from every machine. What may go wrong with one is told to it by its members.
 */
export class FakeQueue implements Scheduler {
  readonly name = 'queue';
  readonly host: string;
  askEveryMs = 2;
  neverStartsMs = 20;
  /** jobs wait as long as it is set */
  hold: Hold | undefined;
  /** why it takes no jobs */
  refusal: string | undefined;
  /** questions that it does not answer yet, as when its controller is being started again */
  silentFor = 0;
  /** jobs that its accounting has dropped */
  readonly forgotten = new Set<string>();
  readonly preempted = new Set<string>();
  readonly submitted: string[] = [];
  readonly node: ProcessScheduler;
  readonly spool: string;

  constructor(python: string, cluster: string, workspace: FolderWorkspace, root: string) {
    this.host = cluster;
    this.spool = join(workspace.root, 'spool');
    this.node = new ProcessScheduler({
      host: `${cluster}-node/boot`,
      python: async () => python,
      given: { train: python },
      workspace,
      root,
      cache: join(workspace.root, 'cache'),
    });
  }

  async check(): Promise<void> {
    this.#answer();
  }

  async environment(): Promise<string> {
    return '0'.repeat(64);
  }

  async hardware(): Promise<NodeHardware> {
    return { device: 'cpu', cores: 8 };
  }

  async submit(request: SubmitRequest): Promise<JobHandle> {
    this.#answer();
    if (this.refusal !== undefined)
      throw new ZephyrError(`Cannot submit to ${this.host}: ${this.refusal}`, { exit: 'preflight' });
    const id = idOf(request.labels);
    await mkdir(this.spool, { recursive: true });
    await writeFile(join(this.spool, id), JSON.stringify(request), { flag: 'wx' }).then(
      () => this.submitted.push(id),
      // somebody has submitted it already
      () => undefined,
    );
    const handle = this.#handle(request);
    await this.state(handle);
    return handle;
  }

  async find(labels: JobLabels): Promise<JobHandle | undefined> {
    this.#answer();
    const request = await this.#spooled(idOf(labels));
    return request === undefined ? undefined : this.#handle(request);
  }

  async state(handle: JobHandle): Promise<JobState> {
    if (this.silentFor > 0) {
      this.silentFor -= 1;
      return { state: 'unknown', why: 'Unable to contact the controller' };
    }
    const request = await this.#spooled(handle.id);
    if (request === undefined || this.reaches(handle) !== true) return { state: 'absent' };
    const running = await this.node.find(request.labels);
    if (running === undefined && this.hold !== undefined) return { state: 'queued', ...this.hold };
    const state = await this.node.state(running ?? (await this.node.submit(request)));
    return state.state === 'exited' && this.preempted.has(handle.id) ? { ...state, preempted: true } : state;
  }

  /** The node is wanted by somebody else: the job may save, and goes. */
  async preempt(handle: JobHandle): Promise<void> {
    this.preempted.add(handle.id);
    const running = await this.node.find(handle.labels);
    if (running !== undefined) await this.node.cancel(running, 20);
  }

  async cancel(handle: JobHandle, graceSeconds: number): Promise<JobState> {
    const before = await this.state(handle);
    if (!isAlive(before)) return before;
    const running = await this.node.find(handle.labels);
    if (running !== undefined) return await this.node.cancel(running, graceSeconds);
    this.forgotten.add(handle.id);
    return { state: 'absent' };
  }

  async forget(handle: JobHandle): Promise<void> {
    this.forgotten.add(handle.id);
  }

  reaches({ backend, host }: JobSite): true | { readonly why: string } {
    return backend === this.name && host === this.host ? true : { why: `its job is on ${host}` };
  }

  #handle({ place, labels }: SubmitRequest): JobHandle {
    return { backend: this.name, host: this.host, id: idOf(labels), place, labels, startedAt: new Date().toISOString() };
  }

  async #spooled(id: string): Promise<SubmitRequest | undefined> {
    if (this.forgotten.has(id)) return undefined;
    const text = await readFile(join(this.spool, id), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as SubmitRequest);
  }

  #answer(): void {
    if (this.silentFor === 0) return;
    this.silentFor -= 1;
    throw new ZephyrError(`Cannot reach ${this.host}: Unable to contact the controller`, { exit: 'temporary' });
  }
}

function idOf({ run, step, epoch }: JobLabels): string {
  return `${run}-${step}-${epoch}`;
}
