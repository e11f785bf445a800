/** How the state of a training is divided over its ranks. */
export const SHARDINGS = ['none', 'fsdp2'] as const;
export type Sharding = (typeof SHARDINGS)[number];

/** What a job runs on. Nothing here changes the maths beyond rounding. */
export interface Hardware {
  readonly device: 'cpu' | 'cuda';
  readonly nodes: number;
  /** ranks on each node: one process a GPU, or CPU processes for a test */
  readonly ranks: number;
  /** rows a rank takes at once */
  readonly microBatch: number;
  /** micro batches a rank sums up before a step: global batch = nodes x ranks x microBatch x accumulation */
  readonly accumulation: number;
  /** CPU threads of one rank */
  readonly threads: number;
  /** fsdp2: each rank holds a share of weights, gradients and optimizer; none: each holds all of them. One rank is never sharded */
  readonly sharding: Sharding;
  /** whether the shares lie in host memory between their uses; only with fsdp2 */
  readonly offload: boolean;
}

/** Ranks of the whole job. */
export const worldSize = ({ nodes, ranks }: Pick<Hardware, 'nodes' | 'ranks'>): number => nodes * ranks;
