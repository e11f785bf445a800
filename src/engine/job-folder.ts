import { copyFile, link, mkdir, readdir, realpath, rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { atomicWrite } from '../base/atomic-write.ts';
import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { formatRef } from '../model/artifact.ts';
import { contentDigest } from '../model/content-digest.ts';
import type { Hardware, JobFile, JobLabels } from '../model/job.ts';
import type { Artifact } from '../model/outcome.ts';
import type { Step } from '../stages/stage.ts';

export function jobFolderOf(workFolder: string, labels: JobLabels): string {
  return join(workFolder, labels.run, `${labels.step}-e${labels.epoch}`);
}

/**
 * Lays every input out as a Hugging Face cache under `folder/in`, every byte hashed, and says where each one is,
 * relative to `folder`.
 */
export async function stageInputs(
  hub: Hub,
  inputs: Readonly<Record<string, Artifact>>,
  folder: string,
): Promise<Record<string, string>> {
  const staged: Record<string, string> = {};
  for (const [name, { ref, digest }] of Object.entries(inputs)) {
    const { folder: snapshot, files } = await hub.materialise(ref, join(folder, 'in'));
    const found = contentDigest(files);
    if (found !== digest) {
      throw new ZephyrError(
        `Cannot use ${formatRef(ref)}: its content is ${found.slice(0, 16)}, expected ${digest.slice(0, 16)}`,
        {
          exit: 'preflight',
          hint: 'the artifact was changed after it was recorded; run its stage again',
        },
      );
    }
    staged[name] = relative(folder, snapshot);
  }
  return staged;
}

/** A fresh folder with job.json, the programs and the inputs: all that the program reads, on every backend alike. */
export async function layOutJob(request: {
  readonly hub: Hub;
  readonly folder: string;
  readonly codeFolder: string;
  readonly step: Step;
  readonly program: JobFile['program'];
  readonly labels: JobLabels;
  readonly inputs: Readonly<Record<string, Artifact>>;
  readonly hardware: Hardware;
  readonly cadence: JobFile['cadence'];
  /** absolute path of a verified checkpoint */
  readonly checkpoint: string | undefined;
}): Promise<void> {
  const { folder, step } = request;
  await rm(folder, { recursive: true, force: true });
  for (const name of ['in', 'out', 'checkpoints', 'code']) await mkdir(join(folder, name), { recursive: true });
  for (const file of step.files) {
    await mkdir(dirname(join(folder, 'code', file)), { recursive: true });
    await copyFile(join(request.codeFolder, file), join(folder, 'code', file));
  }
  const inputs = await stageInputs(request.hub, request.inputs, folder);
  const job: JobFile = {
    version: 1,
    program: request.program,
    labels: request.labels,
    config: step.config,
    inputs,
    hardware: request.hardware,
    cadence: request.cadence,
    resume: request.checkpoint === undefined ? null : `in/resume/${basename(request.checkpoint)}`,
  };
  if (request.checkpoint !== undefined)
    await linkFolder(request.checkpoint, join(folder, 'in', 'resume', basename(request.checkpoint)));
  await atomicWrite(join(folder, 'job.json'), `${JSON.stringify(job, null, 2)}\n`);
}

/** The files behind a snapshot's links, as files of their own; trainers look for real files beside one another. */
async function linkFolder(source: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const name of await readdir(source)) {
    const file = await realpath(join(source, name));
    await link(file, join(target, name)).catch(() => copyFile(file, join(target, name)));
  }
}

/** What only a living job needs leaves the run's work folder; the logs, the events and the jobs' own descriptions stay. */
export async function sweepRun(workFolder: string, run: string): Promise<void> {
  const folder = join(workFolder, run);
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isDirectory()) continue;
    for (const name of ['in', 'out', 'checkpoints', 'held', 'code', 'home'])
      await rm(join(folder, entry.name, name), { recursive: true, force: true });
  }
}
