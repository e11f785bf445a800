import { mkdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Line, linesFrom } from '../base/ndjson.ts';
import { sha256 } from '../base/sha256.ts';
import { ZephyrError } from '../errors.ts';
import type { Addition, Hub, TreeEntry } from '../hub/hub.ts';
import type { TransferOptions } from '../hub/transfer.ts';
import { type ArtifactRef, formatRef, formatRepo, parseRef, type RepoId } from '../model/artifact.ts';
import { jobBranch, parseJobBranch } from '../model/branches.ts';
import type { CheckpointManifest } from '../model/job.ts';
import { CHECKPOINT_MANIFEST, linkFolder, parseManifest } from './checkpoint-files.ts';
import { jobEnvironment, jobFile, parseExit, parseResult, SUPERVISOR_FILES, tailOf } from './job-folder.ts';
import type { FetchedCheckpoint, JobEnd, JobName, JobOrder, RestoredCheckpoint, RunName, Workspace } from './workspace.ts';

/** Programs that every job on a Hub has beside its own. */
const OWN_PROGRAMS = [...SUPERVISOR_FILES, 'hub_branch.py', 'hub_job.py'];
/** What only a living job needs. */
const LIVING = ['code/', 'checkpoints/', 'out/'];
/** The end of a log that is read to say why a job failed, bytes. */
const TAIL_BYTES = 32 * 1024;

export interface HubWorkspaceOptions {
  readonly hub: Hub;
  /** folder of this installation: holds scripts/train */
  readonly root: string;
  /** variables of the program beyond the fixed ones */
  readonly environment?: Readonly<Record<string, string>>;
  /** seconds between two commits of a job that has nothing urgent to say */
  readonly pushEverySeconds?: number;
  /** milliseconds between two looks at a job's branch */
  readonly pollMs?: number;
  /** milliseconds after the end of a job for which its last commit is waited for: heads of branches lag behind */
  readonly settleMs?: number;
}

/** A job's branch as it was when its head was read. */
interface Head {
  readonly ref: ArtifactRef;
  readonly files: readonly TreeEntry[];
}

/**
 * Each job has a branch of the run's output repo to itself. zephyr lays the job out there in one commit; the job fetches it
 * and its inputs by commit, and pushes events, log, checkpoints and what it made (scripts/train/hub_job.py). The state of the
 * run stays zephyr's: what the job pushed counts once the state names it. A place is `hf://models/ORG/OUT@job-...`.
 */
export class HubWorkspace implements Workspace {
  readonly kind = 'hub';
  readonly pollMs: number;
  readonly settleMs: number;
  readonly hub: Hub;
  readonly options: HubWorkspaceOptions;
  readonly heads = new Map<string, Head>();

  constructor(options: HubWorkspaceOptions) {
    this.pollMs = options.pollMs ?? 10_000;
    this.settleMs = options.settleMs ?? 30_000;
    this.hub = options.hub;
    this.options = options;
  }

  placeOf({ repo, labels }: JobName): string {
    return formatRef({ ...repo, revision: jobBranch(labels) });
  }

  async lay(order: JobOrder, transfer: TransferOptions = {}): Promise<string> {
    const { repo, labels } = order;
    const branch = jobBranch(labels);
    const main = (await this.hub.refs(repo))?.branches.main;
    if (main === undefined)
      throw new ZephyrError(`Cannot lay a job out in "${formatRepo(repo)}" on ${this.hub.name}: it has no branch main`, {
        exit: 'preflight',
      });
    await this.hub.createBranch(repo, branch, main);
    const parent = (await this.hub.resolve({ ...repo, revision: branch })) ?? main;
    const message = `zephyr: lay out ${labels.step} e${labels.epoch}`;
    const add = [...(await this.code(order)), ...this.descriptions(order)];
    const outcome = await this.hub.commit({ repo, branch, parent, message, add, remove: 'all' }, transfer);
    if (outcome.ok) return this.placeOf(order);
    throw new ZephyrError(`Cannot lay a job out in "${branch}" of ${formatRepo(repo)}: another process writes there`, {
      exit: 'conflict',
    });
  }

  async code({ code }: JobOrder): Promise<Addition[]> {
    const own = join(this.options.root, 'scripts', 'train');
    const files = [
      ...code.files.map((file) => ({ file, folder: code.folder })),
      ...OWN_PROGRAMS.map((file) => ({ file, folder: own })),
    ];
    return await Promise.all(
      files.map(async ({ file, folder }) => ({ path: `code/${file}`, content: await readFile(join(folder, file)) })),
    );
  }

  descriptions(order: JobOrder): Addition[] {
    const inputs = Object.fromEntries(
      Object.entries(order.inputs).map(([name, { ref, digest }]) => [name, { ...ref, digest, folder: snapshotFolder(ref) }]),
    );
    const { checkpoint, program, hardware } = order;
    const resume = checkpoint === undefined ? null : `in/resume/${basename(checkpoint.under)}`;
    const said = {
      version: 1,
      program,
      ranks: hardware.ranks,
      pushEverySeconds: this.options.pushEverySeconds ?? 30,
      inputs,
      checkpoint: checkpoint === undefined ? null : { ...checkpoint.ref, under: checkpoint.under, folder: resume },
      environment: jobEnvironment('{folder}/home', order, this.options.environment ?? {}),
    };
    const folders = Object.fromEntries(Object.entries(inputs).map(([name, { folder }]) => [name, folder]));
    return [
      { path: 'order.json', content: `${JSON.stringify(said, null, 2)}\n` },
      { path: 'job.json', content: `${JSON.stringify(jobFile(order, folders, resume), null, 2)}\n` },
    ];
  }

  /** The job's branch as it is now; undefined when there is none. */
  async head(place: string): Promise<Head | undefined> {
    const { type, name, revision } = refOf(place);
    const commit = await this.hub.resolve({ type, name, revision });
    const known = this.heads.get(place);
    if (commit === undefined || commit === known?.ref.commit) return commit === undefined ? undefined : known;
    const ref = { type, name, commit };
    const head = { ref, files: await this.hub.tree(ref) };
    this.heads.set(place, head);
    return head;
  }

  async text(head: Head | undefined, path: string): Promise<string | undefined> {
    if (head === undefined || !head.files.some((file) => file.path === path)) return undefined;
    const bytes = await this.hub.read(head.ref, path);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
  }

  events(place: string, offset: number): Promise<Line[]> {
    return this.lines(place, 'events/', offset);
  }

  log(place: string, offset: number): Promise<Line[]> {
    return this.lines(place, 'log/', offset);
  }

  async lines(place: string, folder: string, offset: number): Promise<Line[]> {
    const head = await this.head(place);
    const found: Line[] = [];
    for (const { path, size } of head?.files ?? []) {
      const from = path.startsWith(folder) ? Number.parseInt(path.slice(folder.length), 10) : Number.NaN;
      if (head === undefined || !(from + size > offset)) continue;
      const bytes = (await this.hub.read(head.ref, path)) ?? new Uint8Array();
      found.push(...linesFrom(bytes, Math.max(0, offset - from)).map(({ text, end }) => ({ text, end: from + end })));
    }
    return found;
  }

  /** `exit.json` comes with the last commit of a job, so its absence is believed only after a while. */
  async end(place: string): Promise<JobEnd> {
    const deadline = performance.now() + this.settleMs;
    let head = await this.head(place);
    let exit = parseExit(await this.text(head, 'exit.json'));
    while (exit === undefined && performance.now() < deadline) {
      await sleep(Math.min(this.pollMs, this.settleMs));
      head = await this.head(place);
      exit = parseExit(await this.text(head, 'exit.json'));
    }
    const from = Math.max(0, ...(head?.files ?? []).map((file) => logEnd(file))) - TAIL_BYTES;
    // where reading begins in the middle of the file, the first line is cut
    const log = (await this.lines(place, 'log/', Math.max(0, from))).slice(from > 0 ? 1 : 0);
    return {
      result: parseResult(await this.text(head, 'result.json')),
      exit,
      logTail: tailOf(log.map(({ text }) => text).join('\n')),
    };
  }

  async checkpoints(place: string): Promise<string[]> {
    const names = ((await this.head(place))?.files ?? []).flatMap(
      ({ path }) => /^checkpoints\/(checkpoint-\d+)\/manifest\.json$/.exec(path)?.[1] ?? [],
    );
    return names.sort((a, b) => Number(a.slice(a.indexOf('-') + 1)) - Number(b.slice(b.indexOf('-') + 1)));
  }

  async fetchCheckpoint(place: string, name: string): Promise<FetchedCheckpoint | undefined> {
    const head = await this.head(place);
    const under = `checkpoints/${name}`;
    const manifest = head === undefined ? undefined : await this.manifestOf(head, under);
    return head === undefined || manifest === undefined ? undefined : { on: 'hub', ref: head.ref, under, manifest };
  }

  /** The manifest of a checkpoint whose every file is in the commit as it says. */
  async manifestOf({ ref, files }: Head, under: string): Promise<CheckpointManifest | undefined> {
    const manifest = parseManifest(await this.hub.read(ref, `${under}/${CHECKPOINT_MANIFEST}`));
    for (const { path, size, sha256: wanted } of manifest?.files ?? []) {
      const file = files.find((other) => other.path === `${under}/${path}`);
      if (file?.size !== size) return undefined;
      // the Hub tells no hash of a small file
      const found = file.sha256 ?? sha256((await this.hub.read(ref, file.path)) ?? new Uint8Array());
      if (found !== wanted) return undefined;
    }
    return manifest;
  }

  async fetchOut(place: string, into: string, transfer: TransferOptions = {}): Promise<string | undefined> {
    const head = await this.head(place);
    if (head === undefined || !head.files.some(({ path }) => path.startsWith('out/'))) return undefined;
    await rm(into, { recursive: true, force: true });
    await mkdir(into, { recursive: true });
    const { folder } = await this.hub.materialise(head.ref, join(into, 'cache'), { ...transfer, under: 'out' });
    await linkFolder(join(folder, 'out'), join(into, 'out'));
    await rm(join(into, 'cache'), { recursive: true });
    return join(into, 'out');
  }

  /** Nothing is brought here: the job fetches it where it runs, and verifies it again there. */
  async restore(ref: ArtifactRef, under: string): Promise<RestoredCheckpoint | undefined> {
    const files = await this.hub.tree(ref);
    return (await this.manifestOf({ ref, files }, under)) === undefined ? undefined : { ref, under };
  }

  async jobs({ repo, run }: RunName): Promise<{ name: string; place: string }[]> {
    const branches = Object.keys((await this.hub.refs(repo))?.branches ?? {});
    const own = branches.flatMap((branch) => {
      const job = parseJobBranch(branch);
      return job?.run === run ? [{ ...job, place: formatRef({ type: repo.type, name: repo.name, revision: branch }) }] : [];
    });
    return own.sort((a, b) => a.epoch - b.epoch).map(({ name, place }) => ({ name, place }));
  }

  async sweep(run: RunName, spared: ReadonlySet<string> = new Set()): Promise<void> {
    for (const { place } of await this.jobs(run)) {
      const head = spared.has(place) ? undefined : await this.head(place);
      const remove = head?.files.map(({ path }) => path).filter((path) => LIVING.some((folder) => path.startsWith(folder))) ?? [];
      if (head === undefined || remove.length === 0) continue;
      const { revision } = refOf(place);
      // if another commit came first, the job made it and is alive
      await this.hub.commit({
        repo: run.repo,
        branch: revision,
        parent: head.ref.commit,
        message: 'zephyr: sweep',
        add: [],
        remove,
      });
    }
  }

  async size(run: RunName): Promise<number | undefined> {
    const jobs = await this.jobs(run);
    const heads = await Promise.all(jobs.map(({ place }) => this.head(place)));
    const files = heads.flatMap((head) => head?.files ?? []);
    return jobs.length === 0 ? undefined : files.reduce((sum, { size }) => sum + size, 0);
  }

  async remove(run: RunName): Promise<void> {
    for (const { place } of await this.jobs(run)) await this.hub.deleteRef(run.repo, 'branch', refOf(place).revision);
  }
}

/**
 * What a scheduler runs for a job on a Hub, with HF_ENDPOINT and HF_TOKEN in the environment of the process: a token is the
 * scheduler's secret, in no argument and in no file of the job. `folder` is on a disk of the node.
 */
export async function hubJobArgv(workspace: HubWorkspace, place: string, folder: string): Promise<string[]> {
  const { type, name, revision } = refOf(place);
  const commit = (await workspace.head(place))?.ref.commit;
  if (commit === undefined) throw new Error(`Cannot start the job at ${place}: its branch is gone`);
  return ['-c', BOOTSTRAP, type, name, revision, commit, folder];
}

/** Python that fetches the wrapper of a job, in its two files, and becomes it. Its arguments are those of hub_job.py. */
const BOOTSTRAP = [
  'import runpy, sys',
  'from huggingface_hub import hf_hub_download',
  'for file in ("code/hub_branch.py", "code/hub_job.py"):',
  '    sys.argv[0] = hf_hub_download(sys.argv[2], file, repo_type=sys.argv[1], revision=sys.argv[4])',
  'sys.path.insert(0, __import__("os").path.dirname(sys.argv[0]))',
  'runpy.run_path(sys.argv[0], run_name="__main__")',
].join('\n');

function refOf(place: string): RepoId & { readonly revision: string } {
  const ref = parseRef(place);
  if (ref === undefined) throw new Error(`Cannot read the place of a job, "${place}"`);
  return ref;
}

/** Where huggingface_hub puts a commit in the cache `in`. */
function snapshotFolder({ type, name, commit }: ArtifactRef): string {
  return `in/${type}s--${name.replaceAll('/', '--')}/snapshots/${commit}`;
}

/** Byte offset in the log after the last byte of this file; 0 of a file that is no part of the log. */
function logEnd({ path, size }: TreeEntry): number {
  return path.startsWith('log/') ? Number.parseInt(path.slice('log/'.length), 10) + size : 0;
}
