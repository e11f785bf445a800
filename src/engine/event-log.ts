import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { type Line, linesFrom, objectIn, readLinesFrom } from '../base/ndjson.ts';
import { ulid } from '../base/ulid.ts';
import type { Addition, Hub } from '../hub/hub.ts';
import type { RepoId } from '../model/artifact.ts';
import type { RunEvent } from '../model/event.ts';
import { isTellable } from '../render/plain.ts';
import type { LogFile, RunLog } from '../render/run-log.ts';
import type { RunState } from '../runs/run-state.ts';
import type { Engine } from './engine.ts';

/** Where the log of a run's events lies on its branch. */
const EVENTS = '.zephyr/events/';

interface RunPlace {
  readonly repo: RepoId;
  readonly run: string;
}

/** A run that this process owns, with the log that its commits take along. */
interface LoggedRun {
  log: RunLog | undefined;
  readonly head: string;
  readonly state: RunState;
}

/** The folder of a run's event log on this machine: beside the Hub where that is on this disk, else in the work folder. */
export function eventFolder(hub: Hub, workFolder: string, { repo, run }: RunPlace): string {
  return join(hub.runFolder(repo, run) ?? join(workFolder, run, 'journal'), 'events');
}

/** Writes events to the log of this run from now on, and to its branch with each transition. */
export async function openEventLog({ hub, workFolder, log, now, version }: Engine, run: LoggedRun): Promise<void> {
  const { owner } = run.state;
  const tree = await hub.tree({ ...run.state.repo, commit: run.head });
  const onBranch = tree.filter(({ path }) => path.startsWith(EVENTS));
  log.open(
    eventFolder(hub, workFolder, run.state),
    ulid(now().getTime()),
    new Map(onBranch.map(({ path, size }) => [path.slice(EVENTS.length), size])),
  );
  if (owner !== null)
    log.emit({ type: 'session-started', run: run.state.run, host: owner.host, pid: owner.pid, zephyr: version });
  run.log = log;
}

/** Files of the log as additions to a commit on the run branch. */
export function eventFiles(files: readonly LogFile[]): Addition[] {
  return files.map(({ name, content }) => ({ path: EVENTS + name, content }));
}

const lineShape = z.looseObject({ level: z.enum(['debug', 'info', 'warn', 'error']), time: z.iso.datetime(), type: z.string() });

/** A line of the run log. */
export interface LogLine {
  readonly text: string;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** seconds since 1970 */
  readonly at: number;
  readonly event: RunEvent;
}

/** Reads a run's log again and again, from its branch and, newer where a process of this machine writes it, from this disk. */
export class EventLogReader {
  readonly #hub: Hub;
  readonly #folder: string;
  readonly #run: RunPlace;
  #head: string | undefined;
  /** The bytes of each file that `next` has given out. The copies on branch and disk begin alike. */
  readonly #given = new Map<string, number>();
  /** A job's events are read from the beginning by each process that follows it. */
  readonly #jobEvents = new Set<string>();

  constructor(hub: Hub, workFolder: string, run: RunPlace) {
    this.#hub = hub;
    this.#folder = eventFolder(hub, workFolder, run);
    this.#run = run;
  }

  /** The lines that have come since the last call, oldest first; `head` is the run branch's. */
  async next(head: string): Promise<LogLine[]> {
    const here = (await readdir(this.#folder).catch(() => [])).filter((name) => name.endsWith('.jsonl'));
    const onBranch = head === this.#head ? new Map<string, number>() : await this.#filesAt(head);
    const found: LogLine[] = [];
    for (const name of [...new Set([...onBranch.keys(), ...here])].sort()) {
      if ((onBranch.get(name) ?? 0) > this.#offset(name)) {
        const bytes = await this.#hub.read({ ...this.#run.repo, commit: head }, EVENTS + name);
        found.push(...this.#take(name, linesFrom(bytes ?? new Uint8Array(), this.#offset(name))));
      }
      found.push(...this.#take(name, await readLinesFrom(join(this.#folder, name), this.#offset(name))));
    }
    this.#head = head;
    return found;
  }

  /** Whether a job's event was not given out before, by this log or by the job itself. */
  isNew({ stage, step, event }: Extract<RunEvent, { type: 'job' }>): boolean {
    const key = `${stage}/${step} ${event.t} ${event.seq} ${event.type}`;
    const isNew = !this.#jobEvents.has(key);
    this.#jobEvents.add(key);
    return isNew;
  }

  #offset(name: string): number {
    return this.#given.get(name) ?? 0;
  }

  async #filesAt(commit: string): Promise<Map<string, number>> {
    const tree = await this.#hub.tree({ ...this.#run.repo, commit });
    return new Map(tree.flatMap(({ path, size }) => (path.startsWith(EVENTS) ? [[path.slice(EVENTS.length), size]] : [])));
  }

  #take(name: string, lines: readonly Line[]): LogLine[] {
    this.#given.set(name, lines.at(-1)?.end ?? this.#offset(name));
    return lines.flatMap(({ text }) => {
      const parsed = lineShape.safeParse(objectIn(text));
      if (!parsed.success) return [];
      const event = parsed.data as unknown as RunEvent;
      if (!isTellable(event) || (event.type === 'job' && !this.isNew(event))) return [];
      return [{ text, level: parsed.data.level, at: Date.parse(parsed.data.time) / 1000, event }];
    });
  }
}
