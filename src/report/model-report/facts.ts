import type { ContaminationNote } from '../../evaluations/contamination.ts';
import type { ArtifactRef } from '../../model/artifact.ts';
import type { Evaluation, EvaluationItem } from '../../model/evaluation.ts';
import type { RunEvent } from '../../model/event.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { FeedbackTables } from './feedback-tables.ts';

/** An artifact that the subject of a report was made of, or the subject itself. */
export interface ReportArtifact {
  readonly ref: ArtifactRef;
  /** `hf://models/ORG/NAME@COMMIT` */
  readonly id: string;
  /** none where zephyr did not make it, or where its repo is not on this Hub */
  readonly manifest: Manifest | undefined;
  /** IDs of what it was made of, by the name that its step has for them */
  readonly inputs: Readonly<Record<string, string>>;
  /** what a dataset of pairs counts of its ratings and margins */
  readonly feedback: FeedbackTables | undefined;
}

/** A line of a run's log; `at` is seconds since 1970. */
export interface ReportLine {
  readonly at: number;
  readonly event: RunEvent;
}

/** A run that made one of the artifacts. */
export interface ReportRun {
  /** `run-...` */
  readonly run: string;
  /** oldest first; none where the log is not on this Hub any more */
  readonly lines: readonly ReportLine[];
  /** the recipe that it was asked to follow, defaults included */
  readonly recipe: unknown;
}

/** An evaluation of one of the models. */
export interface ReportEvaluation {
  /** ID of the model */
  readonly of: string;
  /** `hf://datasets/ORG/NAME@COMMIT` */
  readonly id: string;
  readonly evaluation: Evaluation;
  /** by the name of the benchmark */
  readonly items: Readonly<Record<string, readonly EvaluationItem[]>>;
}

/** What is checked of a finished training against what such trainings are known to show. */
export interface ReportCheck {
  /** ID of the artifact */
  readonly of: string;
  readonly name: string;
  readonly value: string;
  readonly expected: string;
  /** null: the value stands beside another that it cannot be held to */
  readonly ok: boolean | null;
  /** what a miss likely means, or why it cannot be held to */
  readonly meaning: string;
}

/** What the run of the subject was asked to follow. */
export interface ReportRecipe {
  /** the recipe with its defaults */
  readonly yaml: string;
  /** a recipe at toy size, which `rehearse` makes of another one and `run` does not take */
  readonly isRehearsal: boolean;
}

/** All that a report is made of: nothing below asks a Hub or a clock. */
export interface ReportFacts {
  /** the artifact that the report is about */
  readonly subject: ReportArtifact;
  /** what it was made of and itself, each after its inputs */
  readonly artifacts: readonly ReportArtifact[];
  readonly runs: readonly ReportRun[];
  readonly evaluations: readonly ReportEvaluation[];
  readonly checks: readonly ReportCheck[];
  /** whether the model may have seen items of the benchmarks */
  readonly contamination: readonly ContaminationNote[];
  /** version of zephyr that writes the report */
  readonly zephyr: string;
  /** ISO 8601, when it is written */
  readonly at: string;
}

/** The name of a repo without its namespace. */
export const nameOf = ({ ref }: Pick<ReportArtifact, 'ref'>): string => ref.name.split('/').at(-1) as string;

/** The model that benchmarks are shown for: the subject, or of what is no model the last one that it was made of. */
export const modelOf = ({ artifacts }: Pick<ReportFacts, 'artifacts'>): ReportArtifact | undefined =>
  artifacts.findLast(({ ref }) => ref.type === 'model');

/** Members by their stage, the stages in the order in which they ended. */
export function byEnd<Member>(members: readonly Member[], stageOf: (member: Member) => string): [string, Member[]][] {
  const last = new Map(members.map((member, at) => [stageOf(member), at]));
  return [...Map.groupBy(members, stageOf)].sort(([a], [b]) => (last.get(a) as number) - (last.get(b) as number));
}
