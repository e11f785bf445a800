import * as z from 'zod';
import { sha256Hex } from '../model/artifact.ts';
import { type Owner, owner } from './owner.ts';
import type { RunState } from './run-state.ts';

/**
 * `.zephyr/key.json` on the branch of a key: the run that works on it, or did so last. To begin a run, or to go on with one,
 * is to put it there by one commit with a parent commit; of all who try at once one succeeds. The branch stays when the run
 * is over, for the next one of that key.
 */
export const keyClaim = z.object({
  version: z.literal(1),
  key: sha256Hex,
  run: z.string(),
  /** who put it there */
  owner,
  /** `updatedAt` of the run at that time; null for one that was yet to be begun */
  seen: z.iso.datetime().nullable(),
});
export type KeyClaim = z.infer<typeof keyClaim>;

export const KEY_FILE = '.zephyr/key.json';

export function keyBranch(key: string): string {
  return `key-${key.slice(0, 32)}`;
}

/**
 * The process that may be at work on a key: as the run says once it has been written to after the claim, and until then the
 * one that made the claim.
 */
export function workerOf(claim: KeyClaim, run: RunState | undefined): Owner | null {
  return run === undefined || run.updatedAt === claim.seen ? claim.owner : run.owner;
}
