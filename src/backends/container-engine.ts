import { execa } from 'execa';
import * as z from 'zod';
import type { NodeHardware } from './scheduler.ts';
import { thisNode } from './this-node.ts';

export interface ClientAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ContainerEngine {
  readonly binary: 'docker' | 'podman';
  /** Runs the client; a client that is missing or hangs is an answer too, with exit code 127 or 124. */
  run(argv: readonly string[], patienceMs?: number): Promise<ClientAnswer>;
  /** Whether devices are to be asked for by CDI name rather than with `--gpus`. */
  hasCdi(): Promise<boolean>;
  /** What the engine's machine offers a container; undefined where the engine does not say. */
  hardware(): Promise<NodeHardware | undefined>;
}

/** The client waits for an answer this long beyond what the command itself may take. Milliseconds. */
const PATIENCE_MS = 60_000;

export function openContainerEngine(binary: 'docker' | 'podman'): ContainerEngine {
  async function run(argv: readonly string[], patienceMs = PATIENCE_MS): Promise<ClientAnswer> {
    const grace = argv[0] === 'stop' ? Number(argv[2]) * 1000 : 0;
    const result = await execa(binary, argv, { stdin: 'ignore', reject: false, timeout: patienceMs + grace });
    const exitCode = result.exitCode ?? (result.timedOut ? 124 : 127);
    return {
      exitCode,
      stdout: result.stdout,
      stderr: result.stderr.trim() === '' && exitCode !== 0 ? (result.shortMessage ?? '') : result.stderr,
    };
  }
  async function info(): Promise<z.infer<typeof engineInfo> | undefined> {
    const { exitCode, stdout } = await run(['info', '--format', '{{json .}}']);
    return exitCode === 0 ? engineInfo.safeParse(JSON.parse(stdout)).data : undefined;
  }
  return {
    binary,
    run,
    async hasCdi() {
      return binary === 'podman' || listsGpus((await info()) ?? {});
    },
    async hardware() {
      const said = await info();
      const cores = said?.NCPU ?? said?.host?.cpus;
      if (said === undefined || cores === undefined) return undefined;
      // an engine of this machine that lists no devices has them nevertheless, through `--gpus` or a CDI file
      const hasGpus = listsGpus(said) || said.Runtimes?.nvidia !== undefined || thisNode().device === 'cuda';
      return { device: hasGpus ? 'cuda' : 'cpu', cores };
    },
  };
}

/** docker 28.3 lists the CDI devices it found; an older one is asked with `--gpus`, which it has had since 19.03. */
const engineInfo = z.looseObject({
  DiscoveredDevices: z.array(z.looseObject({ ID: z.string() })).nullish(),
  Runtimes: z.record(z.string(), z.unknown()).nullish(),
  NCPU: z.int().positive().optional(),
  /** podman's */
  host: z.looseObject({ cpus: z.int().positive().optional() }).optional(),
});

function listsGpus({ DiscoveredDevices }: Pick<z.infer<typeof engineInfo>, 'DiscoveredDevices'>): boolean {
  return DiscoveredDevices?.some(({ ID }) => ID.startsWith('nvidia.com/gpu')) ?? false;
}

export interface Container {
  readonly id: string;
  readonly status: string;
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  readonly created: string;
  /** of its job, as the label says */
  readonly place: string;
}

const inspected = z.tuple([
  z.looseObject({
    Id: z.string(),
    Created: z.string(),
    State: z.looseObject({ Status: z.string(), ExitCode: z.int(), OOMKilled: z.boolean() }),
    Config: z.looseObject({ Labels: z.record(z.string(), z.string()).nullish() }),
  }),
]);

/** Keeps the name it had when a place was always a folder, so that older containers are found. */
export const PLACE_LABEL = 'zephyr.folder';

export type Inspected =
  | { readonly answer: 'found'; readonly container: Container }
  | { readonly answer: 'absent' }
  | { readonly answer: 'unknown'; readonly why: string };

/** Looks for a container by id or name. It is absent only if the engine says so; any other failure is unknown. */
export async function inspect(engine: ContainerEngine, container: string): Promise<Inspected> {
  const { exitCode, stdout, stderr } = await engine.run(['container', 'inspect', container]);
  if (exitCode !== 0) return isMissing(stderr) ? { answer: 'absent' } : { answer: 'unknown', why: said(stderr) };
  const [{ Id, Created, State, Config }] = inspected.parse(JSON.parse(stdout));
  return {
    answer: 'found',
    container: {
      id: Id,
      status: State.Status,
      exitCode: State.ExitCode,
      outOfMemory: State.OOMKilled,
      // nine digits of a second, and podman's offset, are more than a date takes
      created: new Date(Created).toISOString(),
      place: Config.Labels?.[PLACE_LABEL] ?? '',
    },
  };
}

export function isMissing(stderr: string): boolean {
  return /no such (container|object|image)|image not known|no container with name or id/i.test(stderr);
}

/** The last line of what the client said, which holds the reason. */
export function said(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !/^(See '|Run ')/.test(line));
  return (lines.at(-1) ?? '').replace(/^(docker: |Error: |error: )+/, '') || 'no reason given';
}
