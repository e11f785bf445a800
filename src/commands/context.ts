import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine } from '../engine/engine.ts';
import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import type { RemoteHub } from '../hub/remote-hub.ts';
import type { Emit } from '../model/event.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Target } from '../recipe/target.ts';
import { redactor } from '../render/redact.ts';
import type { Renderer } from '../render/renderer-options.ts';
import type { Driver } from '../runs/run-state.ts';
import type { Stage } from '../stages/module.ts';
import type { Teacher } from '../teachers/teacher.ts';
import { type Signals, watchSignals } from './interrupt.ts';
import { noteHub } from './same-hub.ts';
import { knownSecrets, secretOf } from './secrets.ts';
import { noteIds } from './verdict.ts';

/** The options of every verb, as commander read them. */
export interface Options {
  readonly on?: string;
  readonly hub?: string;
  readonly set?: readonly string[];
  readonly json?: boolean;
  readonly newRun?: boolean;
  readonly takeOver?: boolean;
  /** artifacts that a stage takes, by the stage that made them: the options of `StageModule.inputs` */
  readonly inputs?: Readonly<Record<string, string>>;
  readonly resume?: string;
  readonly yes?: boolean;
  /** a job works on the run in place of this command */
  readonly detach?: boolean;
}

/** What is outside of zephyr, opened once a command: nothing below reads the environment or knows where things lie. */
export interface Context extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  /** where package.json, configs and scripts lie */
  readonly root: string;
  readonly version: string;
  /** zephyr's own folder: hub/ and jobs/ side by side, so that a hard link works between them */
  readonly home: string;
  /** for what can be made again: Python environments */
  readonly cache: string;
  readonly hub: Hub;
  readonly renderer: Renderer;
  readonly emit: Renderer['emit'];
  /** What else hears the events. */
  readonly listeners: Emit[];
  readonly signal: AbortSignal;
  readonly interrupted: Promise<void>;
  /** Closed, last opened first, when the command ends. */
  readonly onClose: (close: () => Promise<void> | void) => void;
}

/** Variables with a meaning for zephyr; the README lists them. */
export const TOKEN = 'HF_TOKEN';

export function environment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** The folder above this file that holds package.json: the same for sources and for the bundle. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) throw new Error('Cannot find the package.json of zephyr');
  }
}

function zephyrHome(env: Readonly<Record<string, string>>): string {
  // an empty variable names no folder: a user who sets one does not mean the working directory
  return resolve(env.ZEPHYR_HOME || join(xdgFolder(env.XDG_DATA_HOME, '.local/share'), 'zephyr'));
}

/** The user's folder for what zephyr can make again; ZEPHYR_HOME does not change it. */
function zephyrCache(env: Readonly<Record<string, string>>): string {
  return join(xdgFolder(env.XDG_CACHE_HOME, '.cache'), 'zephyr');
}

/** A base folder of the XDG specification, which says that a relative path counts as none: it would be another in each folder. */
function xdgFolder(value: string | undefined, usual: string): string {
  return value !== undefined && isAbsolute(value) ? value : join(homedir(), usual);
}

/** The programs that jobs run. */
export function codeFolder(context: Context): string {
  return join(context.root, 'scripts', 'train');
}

/** What a Hub over HTTP needs of the command that speaks to it. */
interface Asking {
  readonly signal: AbortSignal;
  readonly emit: Emit;
  /** Everybody may read there: a token is used where there is one. */
  readonly isPublic?: boolean;
}

async function openHub(env: Readonly<Record<string, string>>, url: string | undefined, asking: Asking): Promise<Hub> {
  noteHub(url);
  if (url !== undefined) return await openRemote(env, url, asking);
  const { openLocalHub } = await import('../hub/local-hub.ts');
  return await openLocalHub(join(zephyrHome(env), 'hub'));
}

export async function openRemote(
  env: Readonly<Record<string, string>>,
  url: string,
  { signal, emit, isPublic = false }: Asking,
): Promise<RemoteHub> {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new ZephyrError(`Cannot open the Hub at "${url}": expected a URL`, {
      hint: 'https://huggingface.co, or http://127.0.0.1:7600',
    });
  }
  const token = secretOf(env, TOKEN);
  if (token === undefined && !isPublic) {
    throw new ZephyrError(`Cannot open the Hub at "${url}": no token`, {
      exit: 'preflight',
      hint: `set ${TOKEN} in the environment, or ${TOKEN}_PATH to a file that holds it`,
    });
  }
  if (token !== undefined && !token.startsWith('hf_'))
    throw new ZephyrError(
      `Cannot open the Hub at "${url}": ${TOKEN} holds no token of a Hub, expected one that begins with hf_`,
      {
        exit: 'preflight',
        hint: `its value is not shown; look at ${TOKEN}, or at the file that ${TOKEN}_PATH names`,
      },
    );
  const { RemoteHub } = await import('../hub/remote-hub.ts');
  return new RemoteHub({
    url,
    token,
    signal,
    say: (message) => emit({ type: 'warning', message }),
    uploads: join(zephyrHome(env), 'uploads'),
    downloads: join(zephyrHome(env), 'downloads'),
  });
}

export async function openContext(options: Options, signals: () => Signals = watchSignals): Promise<Context> {
  const { openRenderer } = await import('../render/renderer.ts');
  const mode = options.json === true ? 'json' : process.stderr.isTTY && process.env.CI === undefined ? 'tty' : 'plain';
  const stream = mode === 'json' ? process.stdout : process.stderr;
  const color = stream.hasColors?.() ?? false;
  return await contextOf(options, await openRenderer({ mode, stream, color, secrets: knownSecrets }), signals());
}

/** The signals do what they do to any program. */
function unwatched(): Signals {
  return { signal: new AbortController().signal, interrupted: new Promise(() => undefined), stop: () => undefined };
}

/**
 * For a verb that has no progress to show: it says what it found when it has found it, and meanwhile only what it waits
 * for. A signal ends it at once, unless it has something to put in order first.
 */
export async function openQuietContext(options: Options, signals: Signals = unwatched()): Promise<Context> {
  const redact = redactor(knownSecrets);
  const emit: Emit = (event) => {
    if (event.type === 'warning') process.stderr.write(`${redact(event.message)}\n`);
  };
  return await contextOf(options, { emit, print: () => undefined, showPast: () => undefined, close: () => undefined }, signals);
}

async function contextOf(options: Options, renderer: Renderer, signals: Signals): Promise<Context> {
  const env = environment();
  if (env[TOKEN] !== undefined) knownSecrets.add(env[TOKEN]);
  const root = packageRoot();
  const closers: (() => Promise<void> | void)[] = [];
  const { signal, interrupted, stop } = signals;
  const listeners: Emit[] = [];
  const emit: Renderer['emit'] = (event, at) => {
    noteIds(event);
    renderer.emit(event, at);
    for (const hear of listeners) hear(event);
  };
  const hub = await openHub(env, options.hub, { signal, emit });
  closers.push(() => renderer.close(), stop);
  return {
    env,
    root,
    version: versionOf(root),
    home: zephyrHome(env),
    cache: zephyrCache(env),
    hub,
    renderer,
    emit,
    listeners,
    signal,
    interrupted,
    onClose: (close) => closers.push(close),
    [Symbol.asyncDispose]: async () => {
      for (const close of closers.reverse()) await close();
    },
  };
}

interface ToOpen {
  readonly recipe: Recipe;
  readonly target: Target;
  readonly registry: readonly Stage[];
  readonly driver?: Driver;
}

/** The engine for one recipe on one target. The practice teacher is started with the first call to it. */
export async function openEngine(
  context: Context,
  { recipe, target, registry, driver }: ToOpen,
  options: Options,
): Promise<Engine> {
  const { openTargetBackend } = await import('./backend.ts');
  const { Servers } = await import('../calls/servers.ts');
  const { RunLog } = await import('../render/run-log.ts');
  const log = new RunLog({ secrets: knownSecrets });
  context.listeners.push((event) => log.emit(event));
  const opened = new Map<string, Promise<readonly Teacher[]>>();
  const teacher = (id: string): Promise<readonly Teacher[]> => {
    const found = opened.get(id) ?? openTeachers(context, recipe, id);
    opened.set(id, found);
    return found;
  };
  return {
    hub: context.hub,
    backend: await openTargetBackend(context, target),
    target,
    teacher,
    servers: new Servers(),
    tasks: Object.assign({}, ...registry.map(({ tasks }) => tasks)),
    workFolder: join(context.home, 'jobs'),
    codeFolder: codeFolder(context),
    emit: context.emit,
    log,
    signal: context.signal,
    now: () => new Date(),
    version: context.version,
    takeOver: options.takeOver ?? false,
    newRun: options.newRun ?? false,
    ...(driver && { driver }),
  };
}

/** All servers of a teacher. */
async function openTeachers(context: Context, recipe: Recipe, id: string): Promise<readonly Teacher[]> {
  const spec = recipe.teachers[id];
  if (spec === undefined) throw new Error(`Cannot open teacher "${id}": the recipe has none of that name`);
  const { openTeacher } = await import('../teachers/registry.ts');
  const { keyName } = await import('../teachers/terms.ts');
  const { namedServers } = await import('../teachers/servers.ts');
  return await Promise.all(
    namedServers(id, spec).map(async ({ name, server }) => {
      const key = keyName(server);
      const secret = key === undefined ? undefined : secretOf(context.env, key);
      if (server.provider !== 'practice') return { ...openTeacher(server, secret), id: name };
      const baseUrl = server.baseUrl ?? context.env.ZEPHYR_PRACTICE_URL ?? (await practiceUrl(context, recipe.seed));
      return { ...openTeacher({ ...server, baseUrl }, 'practice'), id: name };
    }),
  );
}

const practice = new WeakMap<Context, Promise<string>>();

/** One practice teacher a command. What it answered is kept beside the Hub, as a real provider would keep it. */
async function practiceUrl(context: Context, seed: number): Promise<string> {
  const running =
    practice.get(context) ??
    import('../practice/server.ts').then(async ({ startPracticeServer }) => {
      const server = await startPracticeServer({ seed, log: join(context.home, 'practice.jsonl') });
      context.onClose(() => server.close());
      return server.url;
    });
  practice.set(context, running);
  return await running;
}

function versionOf(root: string): string {
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}
