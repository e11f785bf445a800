import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { atomicWrite } from '../../base/atomic-write.ts';
import type { JobLabels } from '../../model/job.ts';
import { controlFolder } from '../job-folder.ts';
import type { AttemptFiles } from './attempt-files.ts';
import type { Cluster } from './cluster.ts';
import type { QueuedJob } from './queue.ts';

interface SeenSigns {
  readonly signs: string;
  /** on the clock of `performance.now()` */
  readonly lookedAt: number;
  readonly quietMs: number;
}

/** What is known of a job that is looked at. `everyMs`: milliseconds between two looks. */
interface Look {
  readonly files: AttemptFiles;
  readonly everyMs: number;
}

/** Bytes of the mark: as many as a sign of the supervisors takes, so that a full disk takes neither. */
const MARK_BYTES = 4096;
/** A controller that was killed may have forgotten an order: milliseconds until it is told again. */
const AGAIN_MS = 60_000;

/**
 * Ends jobs whose supervisors are silent. Where one is killed together with Slurm's step daemon, Slurm goes on calling the job
 * running. Clocks of two machines are never compared, and a look that comes late counts no more than two in time: a disk that
 * held up this process may have held up the supervisors as well.
 */
export class SilentJobs {
  /** For so long the supervisors of all nodes may give no sign of life. */
  silentAfterMs: number;
  readonly #cluster: Cluster;
  readonly #seen = new Map<string, SeenSigns>();
  readonly #toldAt = new Map<string, number>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.silentAfterMs = cluster.options.silenceSeconds * 1000;
  }

  /** Gives up an attempt that has been silent for too long. It is live until Slurm says so: two may not run at once. */
  async end(labels: JobLabels, { id, state }: QueuedJob, { files, everyMs }: Look): Promise<void> {
    const control = controlFolder(this.#cluster.folderOf(labels), labels);
    if (files.silentSeconds === undefined) {
      // a job that Slurm has suspended is not silent: its processes do not run
      const signs = state === 'RUNNING' ? await signsOf(control) : '';
      if (this.#quietMs(id, signs, everyMs) <= this.silentAfterMs) return;
      if (!(await this.#mark(control))) return;
    }
    const toldAt = this.#toldAt.get(id);
    if (toldAt !== undefined && performance.now() - toldAt < AGAIN_MS) return;
    const { exitCode } = await this.#cluster.run(['scancel', id]);
    if (exitCode === 0) this.#toldAt.set(id, performance.now());
  }

  /** Milliseconds; 0 where there is no sign, or a new one. */
  #quietMs(job: string, signs: string, everyMs: number): number {
    const lookedAt = performance.now();
    const before = this.#seen.get(job);
    const isNew = signs === '' || before?.signs !== signs;
    const quietMs = isNew ? 0 : before.quietMs + Math.min(lookedAt - before.lookedAt, 2 * everyMs);
    this.#seen.set(job, { signs, lookedAt, quietMs });
    return quietMs;
  }

  /** Tells every zephyr that the attempt is given up; false where the disk does not take it, and so may take no signs either. */
  async #mark(control: string): Promise<boolean> {
    const text = JSON.stringify({ seconds: Math.round(this.silentAfterMs / 1000) }).padEnd(MARK_BYTES);
    return await atomicWrite(join(control, 'silent.json'), text).then(
      () => true,
      () => false,
    );
  }
}

/** What the supervisors of all nodes wrote last, each in its `node-R.json`; empty where that is not known, or none runs yet. */
async function signsOf(control: string): Promise<string> {
  try {
    const nodes = (await readdir(control)).filter((name) => /^node-\d+\.json$/.test(name)).sort();
    return (await Promise.all(nodes.map((name) => readFile(join(control, name), 'utf8')))).join('');
  } catch {
    // the disk does not answer: that says nothing about the job
    return '';
  }
}
