// A command with all its descendants: what it takes, and how it is killed. Linux only: it reads /proc.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 150;
/** bash adds up the time of the command and of all descendants that were waited for, which Node does not tell. */
const TIMED = 'TIMEFORMAT="%U %S"; { time "$@" >"$0.log" 2>&1; } 2>"$0.cpu"';

/** Starts the command in a process group of its own; what it prints goes to FILE.log. */
export function startCommand({ command, args, env, cwd }, file) {
  const child = spawn('bash', ['-c', TIMED, file, command, ...args], { cwd, env, detached: true, stdio: 'ignore' });
  const started = performance.now();
  const ended = once(child, 'exit').then(([code]) => ({ code, seconds: (performance.now() - started) / 1000 }));
  return { pid: child.pid, ended };
}

/**
 * Runs it to the end. Memory is the most that all processes together held at one look, in MB. A command of which `progress`
 * sees nothing new for `stallMs` hangs: it is killed, and its code is 'hangs'.
 */
export async function measured(command, file, { progress, stallMs }) {
  const { pid, ended } = startCommand(command, file);
  const most = { rss: 0, pss: 0, processes: 0 };
  let result;
  void ended.then((outcome) => {
    result = outcome;
  });
  let seen;
  let movedAt = performance.now();
  while (result === undefined) {
    const now = memoryOf(descendants(pid).filter((each) => each !== pid));
    for (const key of Object.keys(most)) most[key] = Math.max(most[key], now[key]);
    const reached = await progress();
    if (reached !== seen) movedAt = performance.now();
    seen = reached;
    if (performance.now() - movedAt > stallMs) {
      await killTree(pid);
      return { ...(await ended), ...most, code: 'hangs', cpuSeconds: Number.NaN };
    }
    await Promise.race([sleep(LOOK_MS), ended]);
  }
  const [user, system] = readFileSync(`${file}.cpu`, 'utf8').trim().split('\n').at(-1).split(' ').map(Number);
  return { ...result, ...most, cpuSeconds: user + system };
}

/** SIGKILL to every process of the tree at once, as when a machine goes down; returns when all are gone. */
export async function killTree(pid) {
  const all = descendants(pid);
  for (const each of [-pid, ...all]) {
    try {
      process.kill(each, 'SIGKILL');
    } catch {
      // gone already
    }
  }
  while (all.some(isThere)) await sleep(20);
}

function isThere(pid) {
  const state = textOf(`/proc/${pid}/stat`)?.split(') ').at(-1)?.[0];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** The process itself first. Children of every thread: any of them may have forked. */
function descendants(pid) {
  const found = [pid];
  for (const each of found) {
    let threads = [];
    try {
      threads = readdirSync(`/proc/${each}/task`);
    } catch {
      // gone already
    }
    for (const thread of threads) {
      const children = textOf(`/proc/${each}/task/${thread}/children`)?.trim();
      if (children) found.push(...children.split(' ').map(Number));
    }
  }
  return found;
}

/** RSS counts a page that processes share once for each of them, PSS once in all. */
function memoryOf(pids) {
  const sum = { rss: 0, pss: 0, processes: 0 };
  for (const pid of pids) {
    const text = textOf(`/proc/${pid}/smaps_rollup`);
    if (text === undefined) continue;
    sum.processes += 1;
    sum.rss += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024;
    sum.pss += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024;
  }
  return sum;
}

function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The load server in a process of its own, so that its work is not its clients'. */
export async function startServer(script, args) {
  const folder = mkdtempSync(join(tmpdir(), 'zephyr-load-'));
  const out = join(folder, 'url');
  const file = openSync(out, 'w');
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', file, 'inherit'] });
  while (!readFileSync(out, 'utf8').endsWith('\n')) {
    if (child.exitCode !== null) throw new Error('The load server did not start');
    await sleep(20);
  }
  const url = readFileSync(out, 'utf8').trim();
  const at = (path) => new URL(path, url);
  return {
    url,
    tally: async () => await (await fetch(at('/tally'))).json(),
    mark: async () => void (await fetch(at('/mark'), { method: 'POST' })),
    stop: async () => {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true });
    },
  };
}
