import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ZephyrError } from '../../errors.ts';
import {
  DRIVER_STEP,
  driverMark,
  isAlive,
  type JobHandle,
  type JobLabels,
  type JobSite,
  type JobState,
} from '../../model/job.ts';
import { environmentDigest, type GivenPythons } from '../environments.ts';
import { attemptName, controlFolder, layControl } from '../job-folder.ts';
import type { Capabilities, DriverRequest, NodeHardware, Scheduler, SubmitRequest } from '../scheduler.ts';
import { outOfSight } from '../this-node.ts';
import { type AttemptFiles, fence, leaveMark, readAttempt } from './attempt-files.ts';
import { batchScript, sbatchOptions } from './batch-script.ts';
import { type Cluster, UNSEEN } from './cluster.ts';
import { type DriverJob, driverOptions, driverScript } from './driver-script.ts';
import { askForJob, jobsNamed, type QueuedJob } from './queue.ts';
import { SilentJobs } from './silent-jobs.ts';
import { driverStateOf, endedState, isFinal, isLive, jobOf, liveState } from './states.ts';

/** Milliseconds: between two looks at files, between two questions to Slurm, and for what must follow an order at once. */
const LOOK_MS = 100;
const ASK_MS = 1000;
const SOON_MS = 30_000;
/** Tries to submit to a controller that does not answer, and milliseconds between two. */
const SUBMIT_TRIES = 12;
const SUBMIT_PAUSE_MS = 10_000;
/** What sbatch says when nobody has looked at the job: it may be accepted or not. */
const NO_ANSWER = /unable to contact|timed out|zero bytes|connection (refused|reset)|temporarily unable|not responding/i;

/**
 * Jobs of a Slurm cluster. The queue says how a job waits and what became of its place; what it did is known from its own files
 * on the shared disk, which outlive what Slurm remembers.
 */
export class SlurmScheduler implements Scheduler {
  readonly name = 'slurm';
  readonly host: string;
  askEveryMs = 10_000;
  neverStartsMs = 30_000;
  /** For so long Slurm may still call a job running that has said itself how it ended; its script has no more than that to do. */
  leavesWithinMs = 60_000;
  /** by number of a job, when it was first seen to have ended and yet to run */
  readonly #overdueSince = new Map<string, number>();
  readonly silentJobs: SilentJobs;
  readonly cluster: Cluster;
  readonly cache: string;
  readonly given: GivenPythons;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.cache = cluster.cache;
    this.given = cluster.given;
    this.host = cluster.name;
    this.silentJobs = new SilentJobs(cluster);
  }

  capabilities(environment: string, gpus: boolean): Promise<Capabilities | undefined> {
    return this.cluster.capabilities(environment, gpus);
  }

  check(environments: readonly string[]): Promise<void> {
    return this.cluster.check(environments);
  }

  unmade(environments: readonly string[]): Promise<string[]> {
    return this.cluster.unmade(environments);
  }

  environment(name: string): Promise<string> {
    return environmentDigest(this.cluster, name);
  }

  hardware(): Promise<NodeHardware> {
    return this.cluster.hardware();
  }

  async find(labels: JobLabels): Promise<JobHandle | undefined> {
    const known = await this.#known(labels);
    // who works on a run is written in its state, which a driver that begins late reads; and `status` asks for one that is being submitted
    if (known !== undefined || labels.step === DRIVER_STEP) return known;
    const folder = this.cluster.folderOf(labels);
    // the caller starts another attempt now: a job of this one that Slurm has yet to list must not begin any more
    await fence(folder, labels);
    const { claim } = await readAttempt(folder, labels);
    return claim === 'fenced' ? undefined : claim;
  }

  /** The job that has begun, or the first of that name that Slurm has; throws where Slurm does not answer. */
  async #known(labels: JobLabels): Promise<JobHandle | undefined> {
    const { claim } = await readAttempt(this.cluster.folderOf(labels), labels);
    if (claim !== undefined) return claim === 'fenced' ? undefined : claim;
    const named = await jobsNamed(this.cluster.run, attemptName(labels));
    if ('why' in named) throw unreachable(named.why);
    if (this.host === UNSEEN) throw unreachable('it did not say which cluster it is');
    const [first] = named;
    return first === undefined ? undefined : this.#handle(first.id, this.cluster.workspace.placeOf({ labels }), labels);
  }

  #handle(id: string, place: string, labels: JobLabels): JobHandle {
    return { backend: this.name, host: this.host, id, place, labels, startedAt: new Date().toISOString() };
  }

  async submit(request: SubmitRequest): Promise<JobHandle> {
    const { place, labels } = request;
    for (let tries = 1; ; tries += 1) {
      try {
        const known = await this.#known(labels);
        return known ?? this.#handle(await this.#sbatch(request), place, labels);
      } catch (error) {
        if (!(error instanceof ZephyrError) || error.exit !== 'temporary' || tries === SUBMIT_TRIES) throw error;
        await sleep(SUBMIT_PAUSE_MS);
      }
    }
  }

  async drive({ labels, program, command, target, env, home }: DriverRequest): Promise<JobHandle> {
    const { cluster } = this;
    const { driver } = cluster.options;
    const known = await this.#known(labels);
    if (known !== undefined) return known;
    const place = cluster.workspace.placeOf({ labels });
    const folder = cluster.workspace.folder(place);
    const control = controlFolder(folder, labels);
    await mkdir(control, { recursive: true });
    const file = join(control, 'target.json');
    await writeFile(file, JSON.stringify({ ...target, options: cluster.optionsThere() }, null, 2));
    const [node = '', script = '', ...more] = program;
    const job: DriverJob = {
      ...{ options: cluster.options, labels, place, folder: cluster.there(folder), cluster: this.host },
      argv: [driver.node ?? node, driver.zephyr ?? script, ...more, ...command(cluster.there(file))],
      env: { ...env, ZEPHYR_HOME: driver.home ?? cluster.there(home), ZEPHYR_DRIVER: driverMark(labels) },
    };
    const path = join(control, 'job.sh');
    await writeFile(path, driverScript(job), { mode: 0o755 });
    const id = await this.#submitted(driverOptions(job), path);
    return this.#handle(await this.#first(id, { place, labels }), place, labels);
  }

  /** The number of the job that counts, which is another process's where that one was first. */
  async #sbatch(request: SubmitRequest): Promise<string> {
    const { cluster } = this;
    const folder = cluster.workspace.folder(request.place);
    const control = await layControl(folder, request.labels, cluster.root);
    const software = await cluster.software(request.environment);
    const batch = { options: cluster.options, request, folder: cluster.there(folder), software, cluster: this.host };
    const script = join(control, 'job.sh');
    await writeFile(script, batchScript(batch), { mode: 0o755 });
    return await this.#first(await this.#submitted(sbatchOptions(batch), script), request);
  }

  async #submitted(options: readonly string[], script: string): Promise<string> {
    const { run } = this.cluster;
    const { exitCode, stdout, why } = await run(['sbatch', '--parsable', ...options, this.cluster.there(script)]);
    const id = /^\d+/.exec(stdout.trim())?.[0];
    if (exitCode === undefined || NO_ANSWER.test(why)) throw unreachable(why);
    if (exitCode === 0 && id !== undefined) return id;
    throw new ZephyrError(`Cannot submit a job to ${this.host}: ${why}`, {
      exit: 'preflight',
      hint: `ask for what there is, in the target; what was asked for is in ${script}`,
    });
  }

  /** Of two processes that submit at once each sees the job of the one before, and takes its own back. */
  async #first(id: string, { place, labels }: Pick<SubmitRequest, 'place' | 'labels'>): Promise<string> {
    const named = await jobsNamed(this.cluster.run, attemptName(labels));
    const first = 'why' in named ? undefined : named[0]?.id;
    if (first === undefined || first === id) return id;
    const { claim } = await readAttempt(this.cluster.workspace.folder(place), labels);
    if (claim !== undefined && claim !== 'fenced' && claim.id === id) return id;
    await this.cluster.run(['scancel', id]);
    return first;
  }

  async state(handle: JobHandle): Promise<JobState> {
    if (this.reaches(handle) !== true) return outOfSight(handle);
    const folder = this.cluster.workspace.folder(handle.place);
    // the order matters: Slurm is asked after the files of a living job are read, and before those of an ended one
    const before = await readAttempt(folder, handle.labels);
    const isDriver = handle.labels.step === DRIVER_STEP;
    if ((!isDriver || before.cancelled) && isFinal(before) && before.exit !== undefined)
      return { state: 'exited', ...before.exit };
    const asked = await askForJob(this.cluster.run, jobOf(handle, before));
    if (asked.answer === 'unknown') return { state: 'unknown', why: asked.why };
    if (isDriver)
      return driverStateOf(asked.answer === 'found' ? asked.job : undefined, await readAttempt(folder, handle.labels));
    if (asked.answer === 'found' && isLive(asked.job)) {
      const live = liveState(asked.job, before);
      if (live.state !== 'running') return live;
      if (!(await this.#isOverdue(handle, asked.job, before))) return live;
    }
    const after = await readAttempt(folder, handle.labels);
    return endedState(asked.answer === 'found' ? asked.job : undefined, after, this.cluster.there(folder));
  }

  /** Slurm goes on calling a job running whose step daemon was killed, for as long as its time limit lets it. */
  async #isOverdue({ labels }: JobHandle, job: QueuedJob, files: AttemptFiles): Promise<boolean> {
    const { id } = job;
    if (files.exit === undefined) {
      await this.silentJobs.end(labels, job, { files, everyMs: this.askEveryMs });
      return false;
    }
    const since = this.#overdueSince.get(id) ?? performance.now();
    this.#overdueSince.set(id, since);
    return performance.now() - since >= this.leavesWithinMs;
  }

  async cancel(handle: JobHandle, graceSeconds: number): Promise<JobState> {
    const before = await this.state(handle);
    const mayLive = isAlive(before) || (before.state === 'unknown' && this.reaches(handle) === true);
    if (!mayLive) return before;
    const folder = this.cluster.workspace.folder(handle.place);
    await leaveMark(folder, handle.labels, 'cancelled');
    if (before.state === 'unknown') {
      // the disk may do what the controller cannot be told: a job that has not begun leaves at once when it does
      await fence(folder, handle.labels);
      if ((await readAttempt(folder, handle.labels)).claim === 'fenced') return { state: 'absent' };
    }
    if (before.state === 'queued') {
      const { exitCode, why } = await this.cluster.run(['scancel', '--state=PENDING', handle.id]);
      if (exitCode !== 0) return { state: 'unknown', why };
      if (await this.#endsWithin(handle, SOON_MS)) return await this.state(handle);
    }
    return await this.#stop(handle, folder, graceSeconds);
  }

  /** By the disk, which reaches the supervisors of all nodes; by Slurm where none of them says how the job ended. */
  async #stop(handle: JobHandle, folder: string, graceSeconds: number): Promise<JobState> {
    const { silentSeconds } = await readAttempt(folder, handle.labels);
    const orders = [
      ['stop', graceSeconds * 1000],
      ['kill', SOON_MS],
    ] as const;
    // nobody is left to obey a job that was given up
    for (const [order, milliseconds] of silentSeconds === undefined ? orders : []) {
      await leaveMark(folder, handle.labels, order);
      if (await this.#saidWithin(folder, handle.labels, milliseconds)) return await this.state(handle);
    }
    const { exitCode, why } = await this.cluster.run(['scancel', handle.id]);
    if (exitCode !== 0) return { state: 'unknown', why };
    const deadline = performance.now() + SOON_MS;
    let state = await this.state(handle);
    for (; isAlive(state) && performance.now() < deadline; state = await this.state(handle)) await sleep(ASK_MS);
    return state;
  }

  /** Whether the supervisors wrote how the job ended. */
  async #saidWithin(folder: string, labels: JobLabels, milliseconds: number): Promise<boolean> {
    const deadline = performance.now() + milliseconds;
    while ((await readAttempt(folder, labels)).exit === undefined) {
      if (performance.now() >= deadline) return false;
      await sleep(LOOK_MS);
    }
    return true;
  }

  async #endsWithin(handle: JobHandle, milliseconds: number): Promise<boolean> {
    const deadline = performance.now() + milliseconds;
    for (;;) {
      const { state } = await this.state(handle);
      if (state === 'exited' || state === 'absent') return true;
      if (state === 'running' || performance.now() >= deadline) return false;
      await sleep(ASK_MS);
    }
  }

  /** One that waits, because it has not begun or Slurm has put it back, is taken out of the queue; else it would leave at once. */
  async forget(handle: JobHandle): Promise<void> {
    const folder = this.cluster.workspace.folder(handle.place);
    await fence(folder, handle.labels);
    // no process is left of one that said how it ended, and Slurm may hold its nodes for it all the same
    const { exit } = await readAttempt(folder, handle.labels);
    await this.cluster.run(['scancel', ...(exit === undefined ? ['--state=PENDING'] : []), handle.id]);
  }

  reaches({ backend, host }: JobSite): true | { readonly why: string } {
    return backend === this.name && host === this.host ? true : { why: `its job is on ${host} through ${backend}` };
  }
}

function unreachable(why: string): ZephyrError {
  return new ZephyrError(`Cannot reach Slurm: ${why}`, {
    exit: 'temporary',
    hint: 'jobs that run go on; run the command again when it answers',
  });
}
