import { randomUUID } from 'node:crypto';
import { link, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { type JobHandle, type JobLabels, jobHandle } from '../../model/job.ts';
import { controlFolder, parseExit, readIfThere } from '../job-folder.ts';
import type { ExitRecord } from '../workspace.ts';

/** What lies in the control folder of an attempt. */
export interface AttemptFiles {
  /** whether the attempt was ever laid out here */
  readonly isThere: boolean;
  /** the job that has begun, and that alone may work; `fenced`: zephyr has given the attempt up before any had */
  readonly claim: JobHandle | 'fenced' | undefined;
  readonly exit: ExitRecord | undefined;
  /** Slurm has started the job once more, and it has left at once */
  readonly requeued: boolean;
  /** it was told to stop because its time limit was near */
  readonly timeIsUp: boolean;
  /** Slurm told it to stop because another job wants its place */
  readonly takenBack: boolean;
  /** zephyr itself has told the job to end */
  readonly cancelled: boolean;
  /** zephyr has given it up because its supervisors gave no sign of life for so many seconds */
  readonly silentSeconds: number | undefined;
}

/** What zephyr leaves for the job or of it: files whose names say it all. `stop` and `kill` are read by the supervisors. */
export type ControlMark = 'cancelled' | 'stop' | 'kill';

export async function leaveMark(folder: string, labels: JobLabels, mark: ControlMark): Promise<void> {
  await writeFile(join(controlFolder(folder, labels), mark), '').catch((error: NodeJS.ErrnoException) => {
    // somebody has deleted the job's folder: then Slurm alone can be told
    if (error.code !== 'ENOENT') throw error;
  });
}

/** Takes the claim before any job has, so that one that turns up late leaves at once. Nothing where a job was first. */
export async function fence(folder: string, labels: JobLabels): Promise<void> {
  const claim = join(controlFolder(folder, labels), 'claim.json');
  // processes of two machines may have one number
  const draft = `${claim}.${randomUUID()}.tmp`;
  try {
    await writeFile(draft, JSON.stringify({ fenced: true }));
    await link(draft, claim);
  } catch (error) {
    // nothing was laid out here, or a job has begun
    if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** A folder is listed first, since a shared disk may go on saying for a minute that a file of it is not there. */
export async function readAttempt(folder: string, labels: JobLabels): Promise<AttemptFiles> {
  const control = controlFolder(folder, labels);
  const names = await readdir(control).catch(() => undefined);
  const [claim, exit] = await Promise.all(['claim.json', 'exit.json'].map((name) => readIfThere(join(control, name))));
  const silent = names?.includes('silent.json') ? await readIfThere(join(control, 'silent.json')) : undefined;
  return {
    isThere: names !== undefined,
    claim: claim === undefined ? undefined : parseClaim(claim),
    exit: parseExit(exit),
    timeIsUp: names?.includes('time-is-up') ?? false,
    takenBack: names?.includes('taken-back') ?? false,
    requeued: names?.includes('requeued') ?? false,
    cancelled: names?.includes('cancelled') ?? false,
    silentSeconds: silent === undefined ? undefined : silentMark.parse(JSON.parse(silent)).seconds,
  };
}

const silentMark = z.object({ seconds: z.number() });

function parseClaim(text: string): JobHandle | 'fenced' {
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null && 'fenced' in value ? 'fenced' : jobHandle.parse(value);
}
