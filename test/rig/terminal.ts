import { spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cli, type Place, python } from './zephyr.ts';

export interface Terminal {
  readonly type: (text: string) => void;
  /** Resolves when the whole of what was printed so far matches; throws when the command ends before. */
  readonly shows: (what: RegExp) => Promise<void>;
  readonly printed: () => string;
  /** Closes the terminal, as when its window is closed: the command gets SIGHUP, and nobody reads what it prints. */
  readonly hangUp: () => void;
  readonly ended: Promise<number | null>;
}

export const CTRL_C = '\u0003';

/** The built CLI on a pseudo terminal of so many columns. */
export async function onTerminal(place: Place, columns: number, args: readonly string[]): Promise<Terminal> {
  const cwd = await mkdtemp(join(tmpdir(), 'zephyr-cwd-'));
  const { PATH, HOME, LANG } = process.env;
  const env = { PATH, HOME, LANG, TERM: 'xterm-256color', ZEPHYR_HOME: place.home, ...place.env };
  const command = [join(import.meta.dirname, 'terminal.py'), String(columns), process.execPath, cli, ...args];
  const child = spawn(python, command, { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] });
  let printed = '';
  const look = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    for (const again of look) again();
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return {
    type: (text) => child.stdin.write(text),
    printed: () => printed,
    hangUp: () => child.kill('SIGKILL'),
    ended,
    shows: (what) =>
      new Promise((resolve, reject) => {
        const again = (): void => {
          if (!what.test(printed)) return;
          look.delete(again);
          resolve();
        };
        look.add(again);
        again();
        void ended.then((code) => reject(new Error(`Ended with ${code} before ${what} was shown: ${printed.slice(-2000)}`)));
      }),
  };
}
