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
}

/** Ranks of the whole job. */
export const worldSize = ({ nodes, ranks }: Pick<Hardware, 'nodes' | 'ranks'>): number => nodes * ranks;
