import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '../../src/backends/backend.ts';
import { openBackend } from '../../src/backends/registry.ts';
import type { Scheduler } from '../../src/backends/scheduler.ts';
import type { Json } from '../../src/base/canonical-json.ts';
import { hostId } from '../../src/base/host-id.ts';
import { Servers } from '../../src/calls/servers.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { beginRun } from '../../src/engine/open-run.ts';
import type { StageRun } from '../../src/engine/stage-run.ts';
import { localHub } from '../../src/hub/local-hub.ts';
import { RemoteHub } from '../../src/hub/remote-hub.ts';
import { startHubServer } from '../../src/hub-server/server.ts';
import type { RunEvent } from '../../src/model/event.ts';
import { targetSpec } from '../../src/recipe/target.ts';
import { RunLog } from '../../src/render/run-log.ts';
import type { Step } from '../../src/stages/stage.ts';
import { openStore } from '../../src/store/store.ts';
import { ROOT } from '../rig/job-rig.ts';
import { newRun } from '../rig/new-run.ts';
import { stages } from '../rig/stages.ts';

const token = 'hf_engine';
const output = { type: 'model' as const, name: 'org/out' };

export interface Rig {
  readonly folder: string;
  readonly engine: Engine;
  readonly events: RunEvent[];
  /** the same Hub in this process, whatever the engine's sees of it */
  readonly beside: Engine['hub'];
  /** the engine's Hub over HTTP from now on, until it is stopped */
  readonly overHttp: () => Promise<{
    readonly engine: Engine;
    readonly stop: () => Promise<void>;
    readonly url: string;
    readonly token: string;
  }>;
  readonly begin: (engine?: Engine) => Promise<StageRun>;
  readonly close: () => Promise<void>;
}

/** An engine on a Hub of its own, with bare processes for jobs. */
export async function openRig(): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-engine-'));
  const store = await openStore(join(folder, 'hub'));
  const hub = localHub(store);
  const events: RunEvent[] = [];
  const target = targetSpec(stages).parse({ backend: 'process', options: { python: 'python3' } });
  const log = new RunLog();
  const place = { host: hostId(), root: ROOT, cache: join(folder, 'cache'), jobs: join(folder, 'jobs'), hub };
  const closers: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const engine: Engine = {
    hub,
    backend: await openBackend(target, place),
    target,
    teacher: async () => [],
    servers: new Servers(),
    tasks: {},
    workFolder: join(folder, 'jobs'),
    codeFolder: join(folder, 'code'),
    emit: (event) => {
      log.emit(event);
      events.push(event);
    },
    log,
    signal: new AbortController().signal,
    now: () => new Date(),
    version: '0.0.0',
    takeOver: false,
    newRun: false,
  };
  return {
    folder,
    engine,
    events,
    beside: hub,
    overHttp: async () => {
      const server = await startHubServer({ store, token, secret: 's' });
      closers.push(() => server.close().catch(() => undefined));
      const remote = new RemoteHub({ url: server.url, token, pause: async () => undefined });
      return { engine: { ...engine, hub: remote }, stop: () => server.close(), url: server.url, token };
    },
    begin: ({ hub: over, now } = engine) => beginRun(over, now, { ...newRun(output.name, target), repo: output }),
    close: async () => {
      for (const close of closers.reverse()) await close();
    },
  };
}

/** The backend with another way to do some of what its scheduler does. */
export function withScheduler(backend: Backend, changed: Partial<Scheduler>): Backend {
  return { ...backend, scheduler: Object.assign(Object.create(backend.scheduler) as Scheduler, changed) };
}

/** What test/fixtures/jobs holds becomes the program of the job. */
export async function useProgram({ folder }: Rig, fixture: string): Promise<void> {
  await mkdir(join(folder, 'code'), { recursive: true });
  await copyFile(join(ROOT, 'test', 'fixtures', 'jobs', `${fixture}.py`), join(folder, 'code', 'dsft.py'));
}

const common = { stage: 'dsft' as const, summary: '', inputs: {}, config: {}, output };

export const taskStep = (task: string) =>
  ({ ...common, name: 'construct', files: [], work: { kind: 'task', task } }) as const satisfies Step;

export const jobStep = (config: Json) =>
  ({
    ...common,
    config,
    name: 'train',
    files: ['dsft.py'],
    work: { kind: 'job', program: 'dsft', environment: 'train', training: undefined, saveSteps: 1 },
  }) as const satisfies Step;
