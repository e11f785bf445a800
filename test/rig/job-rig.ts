import { cp, link, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BackendPlace } from '../../src/backends/registry.ts';
import type { SubmitRequest } from '../../src/backends/scheduler.ts';
import type { JobLabels } from '../../src/model/job.ts';

export const ROOT = join(import.meta.dirname, '..', '..');
const FIXTURES = join(ROOT, 'test', 'fixtures', 'jobs');

/** All that a client process needs to open a backend and submit. */
export interface ClientOrder {
  readonly backend: string;
  readonly options: Record<string, unknown>;
  readonly place: Omit<BackendPlace, 'hub'>;
  readonly request: SubmitRequest;
}

/** Lays out a job folder as the engine does, with a program of test/fixtures/jobs in place of a real one. */
export async function layJob(
  jobs: string,
  fixture: string,
  config: object,
  labels: JobLabels,
  processes = 1,
): Promise<SubmitRequest> {
  const folder = join(jobs, labels.run, `${labels.step}-e${labels.epoch}`);
  for (const name of ['code', 'in/data', 'in/objects', 'out', 'checkpoints'])
    await mkdir(join(folder, name), { recursive: true });
  await cp(join(FIXTURES, `${fixture}.py`), join(folder, 'code', 'prepare.py'));
  await mkdir(join(jobs, '..', 'store'), { recursive: true });
  await writeFile(join(jobs, '..', 'store', `${labels.run}-rows`), 'rows');
  await link(join(jobs, '..', 'store', `${labels.run}-rows`), join(folder, 'in', 'objects', 'rows'));
  await writeFile(join(folder, 'in', 'data', 'rows.txt'), 'rows');
  await symlink('../objects/rows', join(folder, 'in', 'data', 'link.txt'));
  const sharding = { sharding: 'none', offload: false } as const;
  const file = { device: 'cpu', processes, micro_batch: 1, accumulation: 1, threads: 1, ...sharding } as const;
  const cadence = { save_steps: 1, log_steps: 1, heartbeat_s: 10 };
  const inputs = { data: 'in/data' };
  await writeFile(
    join(folder, 'job.json'),
    JSON.stringify({ version: 1, program: 'prepare', labels, config, inputs, hardware: file, cadence, resume: null }),
  );
  const hardware = {
    device: 'cpu',
    nodes: 1,
    ranks: processes,
    microBatch: 1,
    accumulation: 1,
    threads: 1,
    ...sharding,
  } as const;
  return { place: folder, program: 'prepare', environment: 'train', labels, hardware };
}

/** Waits as long as it takes on any machine, but not so long that nobody learns what it waits for. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 15_000; tries += 1) {
    if (await holds()) return;
    await sleep(20);
  }
  throw new Error(`Waited in vain until ${what}`);
}

export async function isThere(path: string): Promise<boolean> {
  return (await readFile(path).catch(() => undefined)) !== undefined;
}

/** Living processes of this machine, containers included, with `word` among their arguments. */
export async function processesWith(word: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const argv = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (argv.split('\0').includes(word)) found.push(Number(name));
  }
  return found;
}
