import * as z from 'zod';
import { BACKENDS, type BackendModule } from '../backends/registry.ts';
import { FLUSH_BOUND } from '../calls/flusher.ts';
import { SHARDINGS, worldSize } from '../model/hardware.ts';
import { TRACKER_NAMES } from '../model/tracker.ts';
import type { StageModule } from '../stages/module.ts';

/** The stages as far as a target knows them. */
export type TrainingStages = readonly Pick<StageModule, 'microBatches'>[];

const gpu = z.strictObject({
  name: z.string().min(1).optional().describe('What the plan calls it: H100'),
  memoryGb: z.number().positive().describe('Its memory as it is sold: 80'),
  tflops: z.number().positive().optional().describe('Its dense bf16 peak in TFLOP/s, without sparsity: H100 989, A100 312'),
  dollarsPerHour: z.number().nonnegative().optional().describe('Price of one GPU for one hour in US dollars'),
});

const hardwareFor = (stages: TrainingStages) =>
  z.strictObject({
    device: z.enum(['auto', 'cpu', 'cuda']).default('auto').describe('What a job computes on; auto: GPUs where there are any'),
    processes: z.int().positive().default(1).describe('Ranks of a training job on each node: one a GPU'),
    microBatch: z
      .strictObject(microBatches(stages))
      .prefault({})
      .describe('Rows of one rank at once; with `processes` they must divide the global batch of the recipe'),
    threads: z.int().positive().optional().describe('CPU threads of one rank; default: the cores divided by the ranks'),
    sharding: z
      .enum(SHARDINGS)
      .default('none')
      .describe(
        'What each rank of a full fine-tune holds; none: all of it, fsdp2: a share of weights, gradients and optimizer state. LoRA is never sharded',
      ),
    offload: z
      .boolean()
      .default(false)
      .describe(
        'Whether the shares lie in host memory between their uses: for GPUs that are too small, and slow; only with fsdp2',
      ),
    gpu: gpu.optional().describe('One GPU, for `zephyr plan` alone: whether a training fits, how long it takes, what it costs'),
  });

/** What the members of `hardware` say of one another. Reading an option that could have no effect would mislead. */
function offloadMistake({ sharding, offload, nodes, processes }: Sharded): string | undefined {
  if (!offload) return undefined;
  if (sharding === 'none') return 'expected false without sharding: fsdp2, since only shares are moved to host memory';
  if (worldSize({ nodes, ranks: processes }) > 1) return undefined;
  return 'expected false with one rank, which is not sharded; set processes to the number of GPUs';
}

interface Sharded {
  readonly sharding: (typeof SHARDINGS)[number];
  readonly offload: boolean;
  readonly nodes: number;
  readonly processes: number;
}

/** A key for each training that a stage names. */
function microBatches(stages: TrainingStages) {
  const figures = stages.flatMap(({ microBatches: named = {} }) => Object.entries(named));
  const rows = (figure: string) => z.int().positive().default(1).describe(`Rows that one process takes at once; ${figure}`);
  return Object.fromEntries(figures.map(([key, figure]) => [key, rows(figure)]));
}

const common = {
  $schema: z.string().optional().describe('JSON Schema for editors; ignored'),
  cadence: z
    .strictObject({
      logSteps: z.int().positive().default(10).describe('Optimizer steps between two progress lines'),
      heartbeatSeconds: z.number().positive().default(10).describe('Seconds between two signs of life of a job'),
      saveSteps: z.int().positive().optional().describe("Optimizer steps between two checkpoints, in place of the recipe's"),
      flushCalls: z
        .int()
        .positive()
        .default(FLUSH_BOUND.calls)
        .describe('Calls to teachers that may be on this disk and not yet on the Hub; so many another machine may ask again'),
      flushUsd: z
        .number()
        .positive()
        .default(FLUSH_BOUND.usd)
        .describe('The same in US dollars; at either bound sending waits for the Hub'),
      flushSeconds: z
        .number()
        .positive()
        .default(FLUSH_BOUND.everyMs / 1000)
        .describe('Seconds until an answer is taken to the Hub, at the latest'),
    })
    .prefault({}),
  trackers: z
    .array(z.enum(TRACKER_NAMES))
    .default([])
    .describe(
      "Where this machine hands on the metrics of trainings and evaluations as they come, by each package's own variables (WANDB_API_KEY, MLFLOW_TRACKING_URI, TRACKIO_SPACE_ID); without these into files below ZEPHYR_HOME/trackers",
    ),
};

function targetOf(name: string, { options, nodes }: BackendModule, hardware: ReturnType<typeof hardwareFor>) {
  const most = z
    .int()
    .positive()
    .refine((wanted) => wanted <= nodes, `backend "${name}" runs a job on ${nodes === 1 ? 'one machine' : `at most ${nodes}`}`)
    .meta({ maximum: nodes });
  return z.strictObject({
    backend: z.literal(name).describe('What starts a job'),
    options: options.safeParse({}).success ? options.prefault({}) : options,
    $schema: common.$schema,
    hardware: hardware
      .extend({ nodes: most.default(1).describe('Machines of a training job') })
      .superRefine((value, context) => {
        const message = offloadMistake(value);
        if (message !== undefined) context.addIssue({ code: 'custom', path: ['offload'], message });
      })
      .prefault({}),
    cadence: common.cadence,
    trackers: common.trackers,
  });
}

/** What a target file may say. Nothing in it is part of a fingerprint: one recipe makes the same on every target. */
export function targetSpec(stages: TrainingStages, backends: Readonly<Record<string, BackendModule>> = BACKENDS) {
  const hardware = hardwareFor(stages);
  const [first, ...rest] = Object.entries(backends).map(([name, module]) => targetOf(name, module, hardware));
  if (first === undefined) throw new Error('Cannot describe a target: there is no backend');
  return z.discriminatedUnion('backend', [first, ...rest]).describe('Where a recipe runs, and on what');
}
export type Target = z.infer<ReturnType<typeof targetSpec>>;
