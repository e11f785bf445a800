import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { ZephyrError } from '../errors.ts';
import { isAlive, isOwnExit, type JobHandle, type JobLabels, type JobSite, type JobState } from '../model/job.ts';
import { keptAnswer, noAnswer, PROBE, PROBE_MS } from './capabilities.ts';
import { type ContainerSchedulerOptions, probeArgv, runArgv, talkArgv } from './container-argv.ts';
import { type ContainerEngine, inspect, isMissing, openContainerEngine, said } from './container-engine.ts';
import { converse } from './conversation.ts';
import { environmentBase, environmentDigest, TRAIN } from './environments.ts';
import { attemptName, layControl, readAttemptExit } from './job-folder.ts';
import type { Capabilities, NodeHardware, Scheduler, SubmitRequest, TalkingProgram, TalkRequest } from './scheduler.ts';
import { outOfSight, seenFrom, thisNode } from './this-node.ts';

const imageInspected = z.looseObject({
  Id: z.string(),
  Config: z.looseObject({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
});

/** Looks for a container whose name is taken, and milliseconds between two of them. */
const NAME_LOOKS = 20;
const NAME_PAUSE_MS = 250;

/** Label of the image: sha256 of the pins that it was built from, see `environmentDigest`. */
const REQUIREMENTS_LABEL = 'org.zephyr.requirements';

/**
 * Jobs as detached containers, by docker or podman. A container's name is its attempt's, so the engine itself refuses a
 * second one; it stays after its end (never `--rm`), and `forget` removes it.
 */
export class ContainerScheduler implements Scheduler {
  readonly name: 'docker' | 'podman';
  readonly host: string;
  readonly askEveryMs = 1000;
  readonly neverStartsMs = 0;
  readonly options: ContainerSchedulerOptions;
  readonly engine: ContainerEngine;

  constructor(options: ContainerSchedulerOptions) {
    this.name = options.binary;
    this.host = options.host;
    this.options = options;
    this.engine = openContainerEngine(options.binary);
  }

  /** The image of an environment and what it was built from, as its label says; undefined of an image that has no such label. */
  async imageOf(environment: string): Promise<{ id: string; requirements: string | undefined }> {
    const image = imageFor(this.options, environment);
    const { exitCode, stdout, stderr } = await this.engine.run(['image', 'inspect', '--format', '{{json .}}', image]);
    if (exitCode === 0) {
      const { Id, Config } = imageInspected.parse(JSON.parse(stdout));
      return { id: Id, requirements: Config?.Labels?.[REQUIREMENTS_LABEL] || undefined };
    }
    if (!isMissing(stderr)) throw unreachable(this.engine, stderr);
    throw await wrongImage(this.options, environment, `Cannot find image "${image}" in ${this.name}`);
  }

  async environment(name: string): Promise<string> {
    const { id, requirements } = await this.imageOf(name);
    return requirements ?? id;
  }

  async check(environments: readonly string[]): Promise<void> {
    const { exitCode, stderr } = await this.engine.run(['version', '--format', '{{.Server.Version}}']);
    if (exitCode !== 0) throw unreachable(this.engine, stderr);
    for (const name of environments) {
      const { requirements } = await this.imageOf(name);
      if (requirements === undefined || requirements === (await environmentDigest(this.options, name))) continue;
      throw await wrongImage(
        this.options,
        name,
        `Cannot use image "${imageFor(this.options, name)}": it was built from other requirements than this zephyr pins`,
      );
    }
  }

  async capabilities(environment: string, gpus: boolean): Promise<Capabilities> {
    const image = imageFor(this.options, environment);
    const { id } = await this.imageOf(environment);
    const { gpus: wanted, mounts, environment: variables, root, cache } = this.options;
    const who = `image "${image}"`;
    const run = async (): Promise<string> => {
      // an engine without devices would refuse the container for reasons of its own, and say less than PyTorch does
      const hasDevices = gpus && (await this.hardware()).device === 'cuda';
      const devices = hasDevices ? { cdi: await this.engine.hasCdi() } : undefined;
      const argv = probeArgv({ ...this.options, image }, PROBE, devices);
      const { exitCode, stdout, stderr } = await this.engine.run(argv, PROBE_MS);
      if (exitCode !== 0) throw noAnswer(who, said(stderr), `by hand: ${this.name} run --rm --gpus all ${image} nvidia-smi`);
      return stdout;
    };
    const key = [id, wanted, ...mounts, JSON.stringify(variables)];
    const answer = await keptAnswer({ cache, root, key, gpus, isHere: false, run });
    const bringing = (await environmentBase(this.options, environment)) ?? environment;
    const remedy = `build the image on a base with CUDA, which brings it: ${await buildLine(this.options, bringing)}`;
    return { ...answer, who, remedy };
  }

  async hardware(): Promise<NodeHardware> {
    return (await this.engine.hardware()) ?? thisNode();
  }

  async talk(request: TalkRequest): Promise<TalkingProgram> {
    const image = imageFor(this.options, request.environment);
    return converse(this.name, talkArgv({ ...this.options, image }, request, await this.engine.hasCdi()));
  }

  async find(labels: JobLabels): Promise<JobHandle | undefined> {
    const found = await inspect(this.engine, attemptName(labels));
    if (found.answer === 'unknown') throw unreachable(this.engine, found.why);
    if (found.answer === 'absent') return undefined;
    const { status, id, place, created } = found.container;
    // the client that created the container ended before it started it; a second start does no harm
    if (status === 'created') await startCreated(this.engine, id);
    return { backend: this.name, host: this.host, id, place, labels, startedAt: created };
  }

  /** An engine reserves a name before it shows the container of that name. */
  async findNamed(labels: JobLabels): Promise<JobHandle | undefined> {
    for (let looks = 1; looks < NAME_LOOKS; looks += 1) {
      const found = await this.find(labels);
      if (found !== undefined) return found;
      await sleep(NAME_PAUSE_MS);
    }
    return await this.find(labels);
  }

  async submit(request: SubmitRequest): Promise<JobHandle> {
    const { place, labels, program } = request;
    const known = await this.find(labels);
    if (known !== undefined) return known;
    await layControl(this.options.workspace.folder(place), labels, this.options.root);
    const image = imageFor(this.options, request.environment);
    const argv = runArgv({ ...this.options, image }, request, await this.engine.hasCdi());
    const { exitCode, stdout, stderr } = await this.engine.run(argv);
    if (exitCode !== 0) {
      // another process took the name first, or the answer came late: the container exists in both cases
      const other = /already in use/i.test(stderr) ? await this.findNamed(labels) : undefined;
      if (other !== undefined) return other;
      await removeUnstarted(this.engine, attemptName(labels));
      throw new ZephyrError(`Cannot start "${program}" in image "${image}": ${said(stderr)}`, { exit: 'preflight' });
    }
    const startedAt = new Date().toISOString();
    return { backend: this.name, host: this.host, id: stdout.trim(), place, labels, startedAt };
  }

  async state(handle: JobHandle): Promise<JobState> {
    if (this.reaches(handle) !== true) return outOfSight(handle);
    const found = await inspect(this.engine, handle.id);
    if (found.answer === 'unknown') return { state: 'unknown', why: found.why };
    // a removed container has left its exit code in the job folder
    const exit = await readAttemptExit(this.options.workspace.folder(handle.place), handle.labels);
    if (found.answer === 'absent') return exit === undefined ? { state: 'absent' } : { state: 'exited', ...exit };
    const { status, exitCode, outOfMemory } = found.container;
    if (status === 'created') return { state: 'starting' };
    if (status !== 'exited' && status !== 'dead' && status !== 'stopped') return { state: 'running' };
    // the engine reports this also when the kernel killed only a child process
    const wasKilled = outOfMemory || exit?.outOfMemory === true;
    return { state: 'exited', code: exitCode, outOfMemory: wasKilled && !isOwnExit(exitCode) };
  }

  async cancel(handle: JobHandle, graceSeconds: number): Promise<JobState> {
    const before = await this.state(handle);
    if (!isAlive(before)) return before;
    const { exitCode, stderr } = await this.engine.run(['stop', '--time', String(Math.ceil(graceSeconds)), handle.id]);
    if (exitCode !== 0 && !isMissing(stderr)) return { state: 'unknown', why: said(stderr) };
    return await this.state(handle);
  }

  async forget(handle: JobHandle): Promise<void> {
    const { exitCode, stderr } = await this.engine.run(['rm', '--volumes', handle.id]);
    if (exitCode !== 0 && !isMissing(stderr))
      throw new ZephyrError(`Cannot remove container "${handle.id}": ${said(stderr)}`, { exit: 'temporary' });
  }

  reaches(job: JobSite, from = this.host): true | { readonly why: string } {
    return seenFrom({ backend: this.name, host: from }, job);
  }
}

async function startCreated(engine: ContainerEngine, id: string): Promise<void> {
  const { exitCode, stderr } = await engine.run(['start', id]);
  if (exitCode === 0) return;
  await removeUnstarted(engine, id);
  throw new ZephyrError(`Cannot start container "${id}": ${said(stderr)}`, { exit: 'preflight' });
}

/** A container that could not be started (no such device, no such program) must not keep its attempt's name. */
async function removeUnstarted(engine: ContainerEngine, name: string): Promise<void> {
  const found = await inspect(engine, name);
  if (found.answer === 'found' && found.container.status === 'created') await engine.run(['rm', found.container.id]);
}

function unreachable(engine: ContainerEngine, stderr: string): ZephyrError {
  return new ZephyrError(`Cannot reach ${engine.binary}: ${said(stderr)}`, {
    exit: 'preflight',
    hint:
      engine.binary === 'docker'
        ? 'Start the docker daemon, or choose a target with backend "process"'
        : `Install ${engine.binary}, or choose a target with backend "process"`,
  });
}

function imageFor({ image, images }: ContainerSchedulerOptions, environment: string): string {
  const found = images[environment] ?? (environment === TRAIN ? image : undefined);
  if (found !== undefined) return found;
  throw new ZephyrError(`Cannot run programs of Python environment "${environment}": the target names no image for it`, {
    exit: 'preflight',
    hint: `set options.images.${environment} in the target`,
  });
}

async function wrongImage(options: ContainerSchedulerOptions, environment: string, message: string): Promise<ZephyrError> {
  const build = await buildLine(options, environment);
  const on = build.includes('BASE_IMAGE=IMAGE') ? ', on an IMAGE with Python 3.11 or later' : '';
  return new ZephyrError(message, { exit: 'preflight', hint: `Build it${on}: ${build}` });
}

/** The command that builds the image of an environment, on an IMAGE that is for the user to choose. */
async function buildLine(options: ContainerSchedulerOptions, environment: string): Promise<string> {
  const digest = await environmentDigest(options, environment);
  const base = await environmentBase(options, environment);
  const from = base === undefined ? 'IMAGE' : imageFor(options, base);
  return `${options.binary} build ${join(options.root, 'scripts', 'train', 'environments')} --tag ${imageFor(options, environment)} --build-arg ENVIRONMENT=${environment} --build-arg BASE_IMAGE=${from} --build-arg REQUIREMENTS_SHA256=${digest}`;
}
