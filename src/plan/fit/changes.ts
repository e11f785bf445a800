import { type GpuCase, isSharded, ranksOf } from './gpu-case.ts';
import { hostMemory } from './memory.ts';

/** A job that was changed a little, and what it takes to have it so, as a user writes it. */
interface Option {
  readonly job: GpuCase;
  readonly words: string;
}

/** What a step is called in recipe and target. */
export interface Names {
  readonly stage: string;
  /** key of `hardware.microBatch`; none where the step takes no micro batches */
  readonly microBatch: string | undefined;
  readonly globalBatch: number | undefined;
}

/** GPUs that are proposed at the most. */
const MOST_RANKS = 64;
const SHOWN = 3;

type Lever = (job: GpuCase, names: Names) => Option[];

/** From what costs least on. */
const LEVERS: readonly Lever[] = [smallerBatches, checkpointing, cachedReference, sharding, moreRanks, offloading];

/**
 * The fewest changes with which a job fits, each way as the texts of its changes; no way where none does. All changes are
 * tried by themselves, then two at once, and so on. Who can do without more GPUs is not told to get some: they are tried last.
 */
export function smallestChanges(job: GpuCase, names: Names, fits: (job: GpuCase) => boolean): string[][] {
  const own = LEVERS.filter((lever) => lever !== moreRanks);
  const ways = fewestOf(own, job, names, fits);
  return ways.length > 0 ? ways : fewestOf(LEVERS, job, names, fits);
}

function fewestOf(levers: readonly Lever[], job: GpuCase, names: Names, fits: (job: GpuCase) => boolean): string[][] {
  for (let count = 1; count <= levers.length; count += 1) {
    const found = waysOf(job, names, levers, count).filter((way) => fits(way.job));
    // of the values of one change the first is the smallest
    const ways = [...Map.groupBy(found, ({ levers: pulled }) => pulled.join()).values()].flatMap(([way]) => way ?? []);
    if (ways.length > 0) return ways.slice(0, SHOWN).map(({ words }) => words);
  }
  return [];
}

interface Way {
  readonly job: GpuCase;
  readonly words: string[];
  readonly levers: readonly number[];
}

/** Every way to pull `count` of the levers. */
function waysOf(job: GpuCase, names: Names, levers: readonly Lever[], count: number): Way[] {
  if (count === 0) return [{ job, words: [], levers: [] }];
  return levers.flatMap((lever, at) =>
    lever(job, names).flatMap((option) =>
      waysOf(option.job, names, levers.slice(at + 1), count - 1).map((way) => ({
        job: way.job,
        words: [option.words, ...way.words],
        levers: [LEVERS.indexOf(lever), ...way.levers],
      })),
    ),
  );
}

const withHardware = (job: GpuCase, hardware: Partial<GpuCase['hardware']>): GpuCase => ({
  ...job,
  hardware: { ...job.hardware, ...hardware },
});
const withLoad = (job: GpuCase, load: Partial<GpuCase['load']>): GpuCase => ({ ...job, load: { ...job.load, ...load } });

/** Smaller micro batches that divide what a rank takes in a step, the largest first. */
function smallerBatches(job: GpuCase, { microBatch, globalBatch }: Names): Option[] {
  if (microBatch === undefined || globalBatch === undefined) return [];
  const share = globalBatch / ranksOf(job);
  const smaller = Array.from({ length: job.hardware.microBatch - 1 }, (_, index) => job.hardware.microBatch - 1 - index);
  return smaller
    .filter((rows) => share % rows === 0)
    .map((rows) => ({
      job: withHardware(job, { microBatch: rows, accumulation: share / rows }),
      words: `hardware.microBatch.${microBatch}: ${rows}`,
    }));
}

function checkpointing(job: GpuCase, { stage }: Names): Option[] {
  if (job.load.work === 'score' || job.load.gradientCheckpointing) return [];
  return [{ job: withLoad(job, { gradientCheckpointing: true }), words: `${stage}.train.gradientCheckpointing: true` }];
}

function cachedReference(job: GpuCase, { stage }: Names): Option[] {
  const { work, reference, adapter, answers } = job.load;
  // what a model says itself is not known before
  if (work === 'score' || reference !== 'online' || adapter !== undefined || answers !== undefined) return [];
  return [{ job: withLoad(job, { reference: 'cached' }), words: `${stage}.train.reference: cached` }];
}

function sharding(job: GpuCase): Option[] {
  if (job.load.adapter !== undefined || job.hardware.sharding !== 'none' || ranksOf(job) === 1) return [];
  return [{ job: withHardware(job, { sharding: 'fsdp2' }), words: 'hardware.sharding: fsdp2' }];
}

/** Twice, four times as many ranks on each node and so on, sharded, as far as they divide the batch. */
function moreRanks(job: GpuCase, { globalBatch }: Names): Option[] {
  const { nodes, ranks, microBatch } = job.hardware;
  if (job.load.adapter !== undefined) return [];
  const wanted = [2, 4, 8, 16, 32, 64].map((times) => times * ranks).filter((more) => nodes * more <= MOST_RANKS);
  return wanted
    .filter((more) => globalBatch === undefined || globalBatch % (nodes * more * microBatch) === 0)
    .map((more) => ({
      job: withHardware(job, {
        ranks: more,
        sharding: 'fsdp2',
        ...(globalBatch === undefined ? {} : { accumulation: globalBatch / (nodes * more * microBatch) }),
      }),
      words: `${nodes * more} GPUs (hardware.processes: ${more}${job.hardware.sharding === 'fsdp2' ? '' : ', sharding: fsdp2'})`,
    }));
}

function offloading(job: GpuCase): Option[] {
  if (!isSharded(job) || job.hardware.offload) return [];
  const offloaded = withHardware(job, { offload: true });
  const host = Math.ceil(hostMemory(offloaded) / 2 ** 30);
  return [{ job: offloaded, words: `hardware.offload: true (slow, and ${host} GiB of each host)` }];
}
