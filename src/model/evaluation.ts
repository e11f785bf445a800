import * as z from 'zod';
import { commitId, repoName, repoType, sha256Hex } from './artifact.ts';

/** What two values must share to be compared: data commit, shots, template, stop strings, judge ... by name. */
const protocol = z.record(z.string(), z.json());

/**
 * One measured item, a line of `items/BENCHMARK.jsonl`. Two models are compared over equal `id`s. Items of one `cluster`
 * are not independent (the two turns of a question, questions about one text): errors are reckoned over clusters.
 */
export const evaluationItem = z.looseObject({
  id: z.string().min(1),
  cluster: z.string().min(1),
  /** category, subject or source that it belongs to */
  group: z.string().optional(),
  /** in the scale of the benchmark; null where it could not be scored, with `dropped` saying why */
  score: z.number().nullable(),
  dropped: z.string().optional(),
  /** where judges scored it, what each of them said each time that it was asked; null where its reply could not be read */
  judged: z.array(z.strictObject({ judge: z.string(), pass: z.int().positive(), score: z.number().nullable() })).optional(),
});
export type EvaluationItem = z.infer<typeof evaluationItem>;

const groupValue = z.strictObject({ value: z.number().nullable(), n: z.int().nonnegative() });

/** A mean with what it is known to: the standard error and the 95 % interval are reckoned over clusters. */
export const clusterEstimate = z.strictObject({
  mean: z.number(),
  standardError: z.number().nonnegative(),
  low: z.number(),
  high: z.number(),
  clusters: z.int().positive(),
});
export type ClusterEstimate = z.infer<typeof clusterEstimate>;

/** Another model's public answers, judged by the same judge in the same run: its value may stand in one column with ours. */
const rejudgedModel = z.strictObject({
  model: z.string().min(1),
  /** where its answers are from */
  answers: z.string(),
  n: z.int().nonnegative(),
  value: z.number().nullable(),
  estimate: clusterEstimate.nullable(),
  /** ours less theirs, item by item */
  difference: clusterEstimate.nullable(),
});
export type RejudgedModel = z.infer<typeof rejudgedModel>;

/** One benchmark as the step that scores it leaves it in `benchmarks.json`, its items in `items/NAME.jsonl` beside that. */
export const scoredBenchmark = z.strictObject({
  /** of a-z, 0-9 and "-": `mt-bench`, `arc-challenge` */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  /** as people write it: `MT-Bench` */
  title: z.string(),
  /** as the field names it: `acc_norm`, `mc2`, `score`, `win rate` */
  metric: z.string(),
  /** the least and the greatest value that a score can have; a share is [0, 1] and shown in percent */
  scale: z.tuple([z.number(), z.number()]),
  /** null where nothing could be scored */
  value: z.number().nullable(),
  /** as the harness or package reckons it, where it does */
  standardError: z.number().nonnegative().nullable(),
  /** items that have a score */
  n: z.int().nonnegative(),
  /** items without one, by reason */
  dropped: z.record(z.string(), z.int().positive()),
  /** by category, subject or source */
  groups: z.record(z.string(), groupValue),
  /** further figures by name: first and second turn, lengths, acc beside acc_norm */
  figures: z.record(z.string(), z.number().nullable()),
  protocol,
  /** what a reader must know beside the value, each a sentence */
  notes: z.array(z.string()),
  rejudged: z.array(rejudgedModel).optional(),
});
export type ScoredBenchmark = z.infer<typeof scoredBenchmark>;

export const scoredBenchmarks = z.strictObject({ version: z.literal(1), benchmarks: z.array(scoredBenchmark) });

const evaluatedModel = z.strictObject({ type: repoType, name: repoName, commit: commitId, digest: sha256Hex });

/** `evaluation.json`, the result of one model on one suite. */
export const evaluation = z.strictObject({
  version: z.literal(1),
  suite: z.string(),
  model: evaluatedModel,
  benchmarks: z.array(scoredBenchmark.extend({ estimate: clusterEstimate.nullable() })),
});
export type Evaluation = z.infer<typeof evaluation>;

export const EVALUATION_FILE = 'evaluation.json';
export const BENCHMARKS_FILE = 'benchmarks.json';
/** The file of a benchmark's items, in the folder of the step that scored it and in the evaluation alike. */
export const itemsFile = (benchmark: string): string => `items/${benchmark}.jsonl`;
/** In the folder of a step that is a program: the items of the model at this place of a benchmark's `rejudged`. */
export const rejudgedFile = (benchmark: string, index: number): string => `rejudged/${benchmark}-${index + 1}.jsonl`;
