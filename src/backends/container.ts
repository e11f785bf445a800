import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { ZephyrError } from '../errors.ts';
import { isOwnExit, type JobHandle, type JobLabels, type JobState, TRAIN } from '../model/job.ts';
import type { Backend, SubmitRequest } from './backend.ts';
import { runArgv } from './container-argv.ts';
import { type Engine, inspect, isMissing, openEngine, said } from './container-engine.ts';
import { environmentDigest } from './environments.ts';
import { attemptName, layControl, readExit } from './job-folder.ts';
import type { ContainerOptions } from './target-options.ts';

export interface ContainerBackendOptions extends ContainerOptions {
  readonly binary: 'docker' | 'podman';
  /** this machine and boot, `hostname/boot`; containers outlive a boot, so only the machine counts here */
  readonly host: string;
  /** folder of this installation: holds scripts/train, whose pins an image must have been built from */
  readonly root: string;
}

const imageInspected = z.looseObject({
  Id: z.string(),
  Config: z.looseObject({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
});

/** Looks for a container whose name is taken, and milliseconds between two of them. */
const NAME_LOOKS = 20;
const NAME_PAUSE_MS = 250;

/** Label of the image: sha256 of the requirements.txt that it was built from. */
export const REQUIREMENTS_LABEL = 'org.zephyr.requirements';

/**
 * Jobs as detached containers, by docker or podman. A container's name is its attempt's, so the engine itself refuses a
 * second one; it stays after its end (never `--rm`), and `forget` removes it.
 */
export function containerBackend(options: ContainerBackendOptions): Backend {
  const engine = openEngine(options.binary);

  /** The image of an environment and what it was built from, as its label says; undefined where somebody else built it. */
  async function imageOf(environment: string): Promise<{ id: string; requirements: string | undefined }> {
    const image = imageFor(options, environment);
    const { exitCode, stdout, stderr } = await engine.run(['image', 'inspect', '--format', '{{json .}}', image]);
    if (exitCode === 0) {
      const { Id, Config } = imageInspected.parse(JSON.parse(stdout));
      return { id: Id, requirements: Config?.Labels?.[REQUIREMENTS_LABEL] || undefined };
    }
    if (!isMissing(stderr)) throw unreachable(engine, stderr);
    throw await wrongImage(options, environment, `Cannot find image "${image}" in ${options.binary}`);
  }

  async function find(labels: JobLabels): Promise<JobHandle | undefined> {
    const found = await inspect(engine, attemptName(labels));
    if (found.answer === 'unknown') throw unreachable(engine, found.why);
    if (found.answer === 'absent') return undefined;
    const { status, id, folder, created } = found.container;
    // whoever made it went before starting it; to start twice does no harm
    if (status === 'created') await startCreated(engine, id);
    return { backend: options.binary, host: options.host, id, folder, labels, startedAt: created };
  }

  /** An engine reserves a name before it shows the container of that name. */
  async function findNamed(labels: JobLabels): Promise<JobHandle | undefined> {
    for (let looks = 1; looks < NAME_LOOKS; looks += 1) {
      const found = await find(labels);
      if (found !== undefined) return found;
      await sleep(NAME_PAUSE_MS);
    }
    return await find(labels);
  }

  return {
    name: options.binary,
    find,

    async environment(name) {
      const { id, requirements } = await imageOf(name);
      return requirements ?? id;
    },

    async check(environments) {
      const { exitCode, stderr } = await engine.run(['version', '--format', '{{.Server.Version}}']);
      if (exitCode !== 0) throw unreachable(engine, stderr);
      for (const name of environments) {
        const { requirements } = await imageOf(name);
        if (requirements === undefined || requirements === (await environmentDigest(options, name))) continue;
        throw await wrongImage(
          options,
          name,
          `Cannot use image "${imageFor(options, name)}": it was built from other requirements than this zephyr pins`,
        );
      }
    },

    async submit(request) {
      const known = await find(request.labels);
      if (known !== undefined) return known;
      await layControl(request, join(options.root, 'scripts', 'train'));
      const image = imageFor(options, request.environment);
      const argv = runArgv({ ...options, image }, request, await engine.hasCdi());
      const { exitCode, stdout, stderr } = await engine.run(argv);
      if (exitCode !== 0) {
        // lost the race for the name, or the answer came late: then there is a container
        const other = /already in use/i.test(stderr) ? await findNamed(request.labels) : undefined;
        if (other !== undefined) return other;
        await removeUnstarted(engine, attemptName(request.labels));
        throw new ZephyrError(`Cannot start "${request.program}" in image "${image}": ${said(stderr)}`, {
          exit: 'preflight',
        });
      }
      return handleOf(options, request, stdout.trim());
    },

    async state(handle) {
      return await stateOf(engine, options.host, handle);
    },

    async cancel(handle, graceSeconds) {
      const before = await stateOf(engine, options.host, handle);
      if (before.state !== 'running') return before;
      const { exitCode, stderr } = await engine.run(['stop', '--time', String(Math.ceil(graceSeconds)), handle.id]);
      if (exitCode !== 0 && !isMissing(stderr)) return { state: 'unknown', why: said(stderr) };
      return await stateOf(engine, options.host, handle);
    },

    async forget(handle) {
      const { exitCode, stderr } = await engine.run(['rm', '--volumes', handle.id]);
      if (exitCode !== 0 && !isMissing(stderr))
        throw new ZephyrError(`Cannot remove container "${handle.id}": ${said(stderr)}`, { exit: 'temporary' });
    },
  };
}

function handleOf({ binary, host }: ContainerBackendOptions, { folder, labels }: SubmitRequest, id: string): JobHandle {
  return { backend: binary, host, id, folder, labels, startedAt: new Date().toISOString() };
}

async function stateOf(engine: Engine, host: string, handle: JobHandle): Promise<JobState> {
  const [machine] = handle.host.split('/');
  if (machine !== host.split('/')[0])
    return { state: 'unknown', why: `the job runs on "${machine}", which cannot be seen from here` };
  const found = await inspect(engine, handle.id);
  if (found.answer === 'unknown') return { state: 'unknown', why: found.why };
  // a removed container has left its exit code in the job folder
  const exit = await readExit(handle);
  if (found.answer === 'absent') return exit === undefined ? { state: 'absent' } : { state: 'exited', ...exit };
  const { status, exitCode, outOfMemory } = found.container;
  if (status !== 'exited' && status !== 'dead' && status !== 'stopped') return { state: 'running' };
  // the engine says so of a container in which a child alone was killed as well
  const wasKilled = outOfMemory || exit?.outOfMemory === true;
  return { state: 'exited', code: exitCode, outOfMemory: wasKilled && !isOwnExit(exitCode) };
}

async function startCreated(engine: Engine, id: string): Promise<void> {
  const { exitCode, stderr } = await engine.run(['start', id]);
  if (exitCode === 0) return;
  await removeUnstarted(engine, id);
  throw new ZephyrError(`Cannot start container "${id}": ${said(stderr)}`, { exit: 'preflight' });
}

/** A container that could not be started (no such device, no such program) must not keep its attempt's name. */
async function removeUnstarted(engine: Engine, name: string): Promise<void> {
  const found = await inspect(engine, name);
  if (found.answer === 'found' && found.container.status === 'created') await engine.run(['rm', found.container.id]);
}

function unreachable(engine: Engine, stderr: string): ZephyrError {
  return new ZephyrError(`Cannot reach ${engine.binary}: ${said(stderr)}`, {
    exit: 'preflight',
    hint:
      engine.binary === 'docker'
        ? 'Start the docker daemon, or choose a target with backend "process"'
        : `Install ${engine.binary}, or choose a target with backend "process"`,
  });
}

function imageFor({ image, images }: ContainerBackendOptions, environment: string): string {
  const found = images[environment] ?? (environment === TRAIN ? image : undefined);
  if (found !== undefined) return found;
  throw new ZephyrError(`Cannot run programs of Python environment "${environment}": the target names no image for it`, {
    exit: 'preflight',
    hint: `set options.images.${environment} in the target`,
  });
}

async function wrongImage(options: ContainerBackendOptions, environment: string, message: string): Promise<ZephyrError> {
  const folder = join(options.root, 'scripts', 'train', 'environments');
  const digest = await environmentDigest(options, environment);
  const build = `${options.binary} build ${join(folder, environment)} --file ${join(folder, 'Dockerfile')} --tag ${imageFor(options, environment)} --build-arg BASE_IMAGE=IMAGE --build-arg REQUIREMENTS_SHA256=${digest}`;
  return new ZephyrError(message, { exit: 'preflight', hint: `Build it, on an IMAGE with Python 3.11 or later: ${build}` });
}
