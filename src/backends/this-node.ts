import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { NodeHardware } from './scheduler.ts';

/** What a process of this machine may use. */
export function thisNode(): NodeHardware {
  return { device: existsSync('/dev/nvidiactl') ? 'cuda' : 'cpu', cores: availableParallelism() };
}
