import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');
export const python = join(root, '.venv', 'bin', 'python');
/** The bundle, or the sources where a developer says so. */
export const cli = process.env.ZEPHYR_TEST_CLI ?? join(root, 'dist', 'cli.js');

/** What the end-to-end tests stand on is made by `npm run setup`. */
export function missing(): string | undefined {
  if (!existsSync(cli)) return 'dist/cli.js is missing: npm run setup';
  if (!existsSync(python)) return '.venv is missing: npm run setup';
  return undefined;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Place {
  /** ZEPHYR_HOME: Hub and job folders */
  readonly home: string;
  readonly env?: Readonly<Record<string, string>>;
  /** another program than that of this checkout */
  readonly cli?: string;
}

/** A token that no file, log or argument may ever hold. */
export const CANARY = 'hf_canaryCANARYcanary0123456789';

export async function newPlace(env: Readonly<Record<string, string>> = {}): Promise<Place> {
  return { home: await mkdtemp(join(tmpdir(), 'zephyr-home-')), env };
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when the whole of what was printed on stderr so far matches; throws when the command ends before. */
  readonly says: (what: RegExp) => Promise<RegExpExecArray>;
}

/** The built CLI as a child, in an empty folder of its own. */
export async function start(place: Place, args: readonly string[]): Promise<Started> {
  const cwd = await mkdtemp(join(tmpdir(), 'zephyr-cwd-'));
  const { PATH, HOME, LANG } = process.env;
  const env = { PATH, HOME, LANG, ZEPHYR_HOME: place.home, NO_COLOR: '1', HF_TOKEN: CANARY, ...place.env };
  const child = spawn(process.execPath, [place.cli ?? cli, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  const look = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    for (const again of look) again();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return {
    child,
    ended,
    says: (what) =>
      new Promise((resolve, reject) => {
        const again = (): void => {
          const found = what.exec(stderr);
          if (found === null) return;
          look.delete(again);
          resolve(found);
        };
        look.add(again);
        again();
        void ended.then(({ code }) => reject(new Error(`Ended with ${code} before it said ${what}: ${stderr}`)));
      }),
  };
}

export interface ListedRun {
  readonly id: string;
  readonly phase: string;
}

/** The runs that `status` lists, newest first. */
export async function runsAt(place: Place, ...more: readonly string[]): Promise<ListedRun[]> {
  const ended = await zephyr(place, 'status', '--json', ...more);
  return (JSON.parse(ended.stdout) as { runs: ListedRun[] }).runs;
}

export async function zephyr(place: Place, ...args: readonly string[]): Promise<Ended> {
  return await (await start(place, args)).ended;
}
