import { execa } from 'execa';
import * as z from 'zod';

export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Engine {
  readonly binary: 'docker' | 'podman';
  /** Runs the client; a client that is missing or hangs is an answer too, with exit code 127 or 124. */
  run(argv: readonly string[]): Promise<Answer>;
  /** Whether devices are to be asked for by CDI name rather than with `--gpus`. */
  hasCdi(): Promise<boolean>;
}

/** The client waits for an answer this long beyond what the command itself may take. Milliseconds. */
const PATIENCE_MS = 60_000;

export function openEngine(binary: 'docker' | 'podman'): Engine {
  async function run(argv: readonly string[]): Promise<Answer> {
    const grace = argv[0] === 'stop' ? Number(argv[2]) * 1000 : 0;
    const result = await execa(binary, argv, { stdin: 'ignore', reject: false, timeout: PATIENCE_MS + grace });
    const exitCode = result.exitCode ?? (result.timedOut ? 124 : 127);
    return {
      exitCode,
      stdout: result.stdout,
      stderr: result.stderr.trim() === '' && exitCode !== 0 ? (result.shortMessage ?? '') : result.stderr,
    };
  }
  return {
    binary,
    run,
    async hasCdi() {
      if (binary === 'podman') return true;
      const { exitCode, stdout } = await run(['info', '--format', '{{json .}}']);
      const info = exitCode === 0 ? cdiInfo.safeParse(JSON.parse(stdout)).data : undefined;
      return info?.DiscoveredDevices?.some(({ ID }) => ID.startsWith('nvidia.com/gpu')) ?? false;
    },
  };
}

/** docker 28.3 lists the CDI devices it found; an older one is asked with `--gpus`, which it has had since 19.03. */
const cdiInfo = z.looseObject({ DiscoveredDevices: z.array(z.looseObject({ ID: z.string() })).nullish() });

export interface Container {
  readonly id: string;
  readonly status: string;
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  readonly created: string;
  /** job folder on the host */
  readonly folder: string;
}

const inspected = z.tuple([
  z.looseObject({
    Id: z.string(),
    Created: z.string(),
    State: z.looseObject({ Status: z.string(), ExitCode: z.int(), OOMKilled: z.boolean() }),
    Config: z.looseObject({ Labels: z.record(z.string(), z.string()).nullish() }),
  }),
]);

export const FOLDER_LABEL = 'zephyr.folder';

export type Inspected =
  | { readonly answer: 'found'; readonly container: Container }
  | { readonly answer: 'absent' }
  | { readonly answer: 'unknown'; readonly why: string };

/** By id or name. Only the engine's own word that there is none counts as absent; any other failure is unknown. */
export async function inspect(engine: Engine, container: string): Promise<Inspected> {
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
      folder: Config.Labels?.[FOLDER_LABEL] ?? '',
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
