import { canonicalJson, type Json } from '../base/canonical-json.ts';
import { sha256 } from '../base/sha256.ts';

/**
 * All that changes a step's result, and nothing else. Not in it: backend, number and type of GPUs, micro batch, time,
 * prices, log and save cadence, the version of zephyr.
 */
export interface Ingredients {
  readonly version: 'zephyr-fingerprint/1';
  readonly stage: string;
  readonly step: string;
  /** Content digest of every input artifact, by the name under which the step reads it. */
  readonly inputs: { readonly [name: string]: string };
  /** What the step is told: the `config` of job.json, or the settings of an in-process step. */
  readonly config: Json;
  /** sha256 of every file that does the work (programs, chat templates, judge templates), by file name. */
  readonly files: { readonly [name: string]: string };
  /** Digest of the pinned Python packages (or of the image, where it does not say which it holds); jobs only. */
  readonly environment?: string;
}

/** sha256 over the canonical JSON of the ingredients, 64 hex digits. */
export function fingerprintOf(ingredients: Ingredients): string {
  return sha256(canonicalJson(ingredients));
}

/** The tag that a published artifact gets, so that an equal step finds it again. */
export function fingerprintTag(fingerprint: string): string {
  return `zk-${fingerprint.slice(0, 16)}`;
}
