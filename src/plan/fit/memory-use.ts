/** Bytes on one rank, by what they hold. They belong to one moment: the one at which there are most. */
export interface MemoryUse {
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
  readonly reference: number;
  readonly activations: number;
  readonly logits: number;
  /** layers gathered or cast for their use, gradients on their way between ranks */
  readonly buckets: number;
  /** context, communication and fragmentation of a GPU */
  readonly overhead: number;
}

export function plus(held: MemoryUse, more: Partial<MemoryUse>): MemoryUse {
  const names = Object.keys(held) as (keyof MemoryUse)[];
  return Object.fromEntries(names.map((name) => [name, held[name] + (more[name] ?? 0)])) as unknown as MemoryUse;
}

export function sumOf(use: MemoryUse): number {
  return Object.values(use).reduce((sum, bytes) => sum + bytes, 0);
}
