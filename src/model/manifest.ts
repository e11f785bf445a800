import * as z from 'zod';
import { commitId, repoName, repoType, sha256Hex } from './artifact.ts';

/** One run of the job behind a step, for the record: where, how it ended, from which checkpoint it went on. */
export const attempt = z.object({
  epoch: z.int().positive(),
  backend: z.string(),
  host: z.string(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().optional(),
  /** `done`, or the reason of the failure */
  end: z.string().optional(),
  resumedFromStep: z.int().nonnegative().optional(),
});
export type Attempt = z.infer<typeof attempt>;

const fileDigest = z.object({ path: z.string(), size: z.int().nonnegative(), sha256: sha256Hex });

/** `zephyr.json` in the root of every artifact: the artifact tells its own history. */
export const manifest = z.object({
  version: z.literal(1),
  stage: z.string(),
  step: z.string(),
  run: z.string(),
  fingerprint: sha256Hex,
  ingredients: z.unknown(),
  inputs: z.record(z.string(), z.object({ type: repoType, name: repoName, commit: commitId, digest: sha256Hex })),
  /** content digest over `files` */
  digest: sha256Hex,
  files: z.array(fileDigest),
  metrics: z.record(z.string(), z.unknown()),
  /** package name -> version, as seen by the job itself */
  versions: z.record(z.string(), z.string()),
  /** United States dollars spent on calls; 0 for jobs on own hardware */
  costUsd: z.number().nonnegative(),
  attempts: z.array(attempt),
  zephyr: z.string(),
  createdAt: z.iso.datetime(),
});
export type Manifest = z.infer<typeof manifest>;

export const MANIFEST_FILE = 'zephyr.json';
