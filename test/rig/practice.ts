import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Gate, startGate } from './gate.ts';

export interface Practice extends Omit<Gate, 'close'> {
  /** The keys of all answered calls, in order. */
  readonly answered: () => Promise<string[]>;
  readonly stop: () => Promise<void>;
}

/**
 * The practice teacher in a process of its own: it outlives a zephyr that is killed, as a real provider does. `more` are
 * further options of practice-serve.ts.
 */
export async function startPractice(seed: number, ...more: readonly string[]): Promise<Practice> {
  const log = join(await mkdtemp(join(tmpdir(), 'zephyr-practice-')), 'log.jsonl');
  const args = [join(import.meta.dirname, 'practice-serve.ts'), '--seed', String(seed), '--log', log, ...more];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { close, ...gate } = await startGate(url);
  return {
    ...gate,
    answered: async () => {
      const lines = (await readFile(log, 'utf8')).split('\n').filter((line) => line !== '');
      return lines.map((line) => (JSON.parse(line) as { key: string }).key);
    },
    stop: async () => {
      await close();
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
