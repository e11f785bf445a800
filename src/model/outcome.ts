import type { ArtifactRef } from './artifact.ts';

/** An artifact together with the name of its bytes. */
export interface Artifact {
  readonly ref: ArtifactRef;
  readonly digest: string;
}

export type Failure =
  | { readonly reason: 'job-failed'; readonly code: number; readonly message: string; readonly logTail: readonly string[] }
  | { readonly reason: 'out-of-memory'; readonly message: string }
  | { readonly reason: 'interrupted'; readonly message: string }
  | { readonly reason: 'bad-data'; readonly message: string }
  | { readonly reason: 'bad-artifact'; readonly message: string }
  | { readonly reason: 'teacher'; readonly message: string }
  | { readonly reason: 'disk-full'; readonly message: string }
  | { readonly reason: 'lost'; readonly message: string }
  | { readonly reason: 'cancelled'; readonly message: string };
