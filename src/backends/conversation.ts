import { createInterface } from 'node:readline';
import { execa, type Options } from 'execa';
import type { TalkingProgram } from './scheduler.ts';

/** Milliseconds that a program has to go once its stdin has ended. */
const LEAVE_MS = 10_000;
/** Lines of stderr that are kept to say why a program ended. */
const KEPT = 20;

/**
 * Starts a program whose stdin and stdout are ours. It gets a session of its own, so that Ctrl-C in this terminal does not
 * reach it; when this process goes, however it goes, its stdin ends, and so must it.
 */
export function converse(
  binary: string,
  argv: readonly string[],
  options: Pick<Options, 'cwd' | 'env' | 'extendEnv'> = {},
): TalkingProgram {
  const child = execa(binary, argv, {
    ...options,
    detached: true,
    cleanup: false,
    buffer: false,
    reject: false,
    encoding: 'utf8',
  });
  const heard: string[] = [];
  const listening = (async () => {
    for await (const line of createInterface({ input: child.stderr })) {
      // of a progress bar that redraws itself its last state
      heard.push(line.replace(/^.*\r/s, ''));
      if (heard.length > KEPT) heard.shift();
    }
  })();
  // a program that has gone reads nothing: what it said last is told instead
  child.stdin.on('error', () => undefined);
  const lastWords = child.then(async ({ shortMessage, exitCode }) => {
    await listening;
    return heard.findLast((line) => line.trim() !== '') ?? shortMessage?.split('\n')[0] ?? `exit code ${exitCode}`;
  });
  return {
    send: (value) => {
      child.stdin.write(`${JSON.stringify(value)}\n`);
    },
    lines: createInterface({ input: child.stdout }),
    lastWords,
    close: async () => {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), LEAVE_MS);
      await lastWords;
      clearTimeout(timer);
    },
  };
}
