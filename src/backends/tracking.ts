import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import * as z from 'zod';
import type { TrackerName } from '../model/tracker.ts';
import { type Environments, environmentFolder } from './environments.ts';

/** The environment of scripts/train/track.py. */
export const TRACKERS = 'trackers';

/** A line that track.py reads; `key` names one step of one run, in every process that follows it. */
export type TrackLine =
  | {
      readonly type: 'open';
      readonly key: string;
      readonly project: string;
      readonly name: string;
      readonly group: string;
      readonly config: unknown;
    }
  | {
      readonly type: 'log';
      readonly key: string;
      readonly step: number;
      /** seconds since 1970; left out: now */
      readonly time?: number;
      readonly metrics: Readonly<Record<string, number>>;
    }
  | { readonly type: 'close'; readonly key: string; readonly ok: boolean };

export interface TrackRequest extends Environments {
  readonly trackers: readonly TrackerName[];
  /** what the packages write where no server is named lies below */
  readonly folder: string;
  /** the packages' own variables: servers, keys, modes */
  readonly env: Readonly<Record<string, string>>;
  /** a tracker that failed and is left out from here on, in its package's words */
  readonly failed: (tracker: string, why: string) => void;
}

const told = z.object({ tracker: z.string(), failed: z.string() });

/** Milliseconds that the packages get to send what they have before the command ends. */
const LAST_MS = 60_000;

/** The process of track.py; it ends by itself when this one does, however that ends. */
export class Tracking {
  readonly #child: ReturnType<typeof started>;
  readonly #request: TrackRequest;
  readonly #ended: Promise<void>;

  private constructor(request: TrackRequest, child: ReturnType<typeof started>) {
    this.#request = request;
    this.#child = child;
    this.#ended = this.#listen();
  }

  static async start(request: TrackRequest): Promise<Tracking> {
    const python = join(await environmentFolder(request, TRACKERS), 'bin', 'python');
    return new Tracking(request, started(python, request));
  }

  /** Never waits and never throws: nothing that happens to a tracker may hold up or end a run. */
  write(line: TrackLine): void {
    if (this.#child.stdin.writable) this.#child.stdin.write(`${JSON.stringify(line)}\n`);
  }

  /** Gives the packages a while to send the rest; what they could not send is left to them. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    const isDone = await Promise.race([this.#ended.then(() => true), sleep(LAST_MS, false, { ref: false })]);
    if (isDone) return;
    this.#child.kill('SIGKILL');
    this.#request.failed('trackers', `not done ${LAST_MS / 1000} s after the last metrics`);
  }

  async #listen(): Promise<void> {
    const lines = createInterface({ input: this.#child.stdout });
    lines.on('line', (line) => {
      const { tracker, failed } = told.safeParse(parsed(line)).data ?? {};
      if (tracker !== undefined && failed !== undefined) this.#request.failed(tracker, failed);
    });
    const isRead = once(lines, 'close');
    const { exitCode, stderr } = await this.#child;
    await isRead;
    if (exitCode !== 0) this.#request.failed('trackers', stderr.trim().split('\n').at(-1) ?? '');
  }
}

function started(python: string, { root, folder, trackers, env }: TrackRequest) {
  const argv = [join(root, 'scripts', 'train', 'track.py'), folder, ...trackers];
  // its own group: Ctrl-C turns this process away, and the packages still have something to send
  const child = execa(python, argv, {
    ...{ stdin: 'pipe', reject: false, buffer: { stdout: false }, env, extendEnv: false, detached: true, cleanup: false },
  } as const);
  // a child that is gone is told of by its exit
  child.stdin.on('error', () => undefined);
  return child;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
