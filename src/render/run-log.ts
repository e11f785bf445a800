import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pino, stdTimeFunctions } from 'pino';
import type { RunEvent } from '../model/event.ts';
import { type Redact, redactDeep, redactor } from './redact.ts';

/** A file of the log ends after about this many bytes, so that a commit of the newest file stays small. */
const FILE_BYTES = 256 * 1024;
/** Milliseconds between two copies to the Hub that come with no transition of the run. */
const COPY_MS = 60_000;

/** Events after which this process has no more to do with the run. */
const ENDS: ReadonlySet<RunEvent['type']> = new Set(['stage-done', 'stage-failed', 'session-ended']);

/** A file of the log as the run branch shall have it. */
export interface LogFile {
  readonly name: string;
  readonly content: string;
}

/**
 * Every event of a run as a line of JSON (`level`, `time` in ISO 8601, `type`, then the event's members), redacted. Each
 * process writes files of its own, `SESSION-NUMBER.jsonl`, whose names sort by time; a file only grows. Lines are on disk when
 * `emit` returns, so a process that is killed loses none. Events before `open` wait for it, since they lead to the run.
 */
export class RunLog {
  readonly #redact: Redact;
  readonly #now: () => number;
  readonly #pino: ReturnType<typeof pino>;
  #waiting: RunEvent[] = [];
  #folder: string | undefined;
  #session = '';
  #number = 0;
  /** The newest file. A line that a full disk does not take is written with the next one. */
  #text = '';
  #written = 0;
  #line = '';
  #announced: { readonly event: RunEvent; readonly line: string } | undefined;
  /** Names of files that the branch has not got as they are now, but for the newest. */
  #behind = new Set<string>();
  #copied = { length: 0, at: Number.NEGATIVE_INFINITY };

  constructor(options: { readonly secrets?: Iterable<string>; readonly now?: () => number } = {}) {
    this.#redact = redactor(options.secrets);
    this.#now = options.now ?? Date.now;
    const formatters = { level: (label: string) => ({ level: label }) };
    const settings = { base: null, level: 'debug', timestamp: stdTimeFunctions.isoTime, formatters };
    this.#pino = pino(settings, {
      write: (line) => {
        this.#line = line;
      },
    });
  }

  /**
   * The run's folder for the events from now on, and the name of this process's files, a ULID. `onBranch`: bytes of the files
   * that its branch has; what a process that was killed left in the folder is copied with the next transition.
   */
  open(folder: string, session: string, onBranch: ReadonlyMap<string, number>): void {
    mkdirSync(folder, { recursive: true });
    const left = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
    this.#behind = new Set(left.filter((name) => statSync(join(folder, name)).size > (onBranch.get(name) ?? 0)));
    [this.#folder, this.#session, this.#number] = [folder, session, 0];
    this.#nextFile();
    for (const event of this.#waiting.splice(0)) this.emit(event);
  }

  emit(event: RunEvent): void {
    if (this.#folder === undefined) this.#waiting.push(event);
    else {
      this.#write(this.#announced?.event === event ? this.#announced.line : this.#lineOf(event));
      if (this.#text.length > FILE_BYTES) this.#nextFile();
    }
    this.#announced = undefined;
    if (!ENDS.has(event.type)) return;
    this.#folder = undefined;
    this.#waiting = [];
  }

  /** An event that the next commit brings about: the copy in that commit has it, the file has it once it is emitted. */
  announce(event: RunEvent): void {
    if (this.#folder !== undefined) this.#announced = { event, line: this.#lineOf(event) };
  }

  /**
   * The files that the run branch lacks, to be committed; `copied` is told once they are there. With `canWait`, none when
   * the last copy was made less than a minute ago.
   */
  uncopied(canWait = false): readonly LogFile[] {
    if (this.#folder === undefined || (canWait && this.#now() - this.#copied.at < COPY_MS)) return [];
    const behind = [...this.#behind].map((name) => ({ name, content: this.#read(name) }));
    const newest = this.#text + (this.#announced?.line ?? '');
    return newest.length === this.#copied.length ? behind : [...behind, { name: this.#name, content: newest }];
  }

  copied(files: readonly LogFile[]): void {
    for (const { name, content } of files) {
      if (name === this.#name) this.#copied = { length: content.length, at: this.#now() };
      else if (content.length >= this.#read(name).length) this.#behind.delete(name);
    }
  }

  get #name(): string {
    return `${this.#session}-${String(this.#number).padStart(5, '0')}.jsonl`;
  }

  #read(name: string): string {
    const path = join(this.#folder ?? '', name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  #lineOf({ type, ...rest }: RunEvent): string {
    this.#pino[levelOf(type, rest)]({ type, ...(redactDeep(rest, this.#redact) as object) });
    return this.#line;
  }

  #write(line: string): void {
    this.#text += line;
    try {
      appendFileSync(join(this.#folder as string, this.#name), this.#text.slice(this.#written));
      this.#written = this.#text.length;
    } catch {
      // events come from timers too, where an error would end the process; what the run itself writes fails as well, and says so
    }
  }

  #nextFile(): void {
    if (this.#text !== '') this.#behind.add(this.#name);
    [this.#number, this.#text, this.#written] = [this.#number + 1, '', 0];
    this.#copied = { length: 0, at: Number.NEGATIVE_INFINITY };
  }
}

/** Progress is `debug`: a reader who wants the story alone leaves it out. */
function levelOf(type: RunEvent['type'], rest: object): 'debug' | 'info' | 'warn' | 'error' {
  if (type === 'stage-failed') return 'error';
  if (type === 'warning' || type === 'session-ended') return 'warn';
  if (type === 'calls' || type === 'transfer') return 'debug';
  const job = type === 'job' ? (rest as { event?: { type?: string } }).event?.type : undefined;
  if (job === 'error') return 'error';
  if (job === 'dropped') return 'warn';
  return job === 'progress' || job === 'heartbeat' ? 'debug' : 'info';
}
