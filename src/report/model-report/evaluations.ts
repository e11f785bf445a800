import { type ContaminationNote, contaminationOf } from '../../evaluations/contamination.ts';
import { evaluationsOf, type KeptEvaluation, readItems } from '../../evaluations/read.ts';
import type { Hub } from '../../hub/hub.ts';
import { formatRef } from '../../model/artifact.ts';
import { modelOf, type ReportArtifact, type ReportEvaluation } from './facts.ts';

/** The evaluations of all models of a lineage with their items, of each model the newest first. */
export async function lineageEvaluations(hub: Hub, artifacts: readonly ReportArtifact[]): Promise<ReportEvaluation[]> {
  const found: ReportEvaluation[] = [];
  for (const { id, ref, manifest } of artifacts) {
    if (ref.type !== 'model') continue;
    for (const kept of await evaluationsOf(hub, { ref, digest: manifest?.digest })) found.push(await withItems(hub, kept, id));
  }
  return found;
}

async function withItems(hub: Hub, kept: KeptEvaluation, of: string): Promise<ReportEvaluation> {
  const { ref, evaluation } = kept;
  const items = await Promise.all(
    evaluation.benchmarks.map(async ({ name }) => [name, await readItems(hub, kept, name)] as const),
  );
  return { of, id: formatRef(ref), evaluation, items: Object.fromEntries(items) };
}

/** Whether the model that the benchmarks are shown for may have seen their items, as far as its artifacts tell. */
export async function seenBefore(
  hub: Hub,
  artifacts: readonly ReportArtifact[],
  evaluations: readonly ReportEvaluation[],
): Promise<ContaminationNote[]> {
  const model = modelOf({ artifacts });
  const benchmarks = evaluations.filter(({ of }) => of === model?.id).flatMap(({ evaluation }) => evaluation.benchmarks);
  const once = [...new Map(benchmarks.map((benchmark) => [benchmark.name, benchmark])).values()];
  return model === undefined || once.length === 0 ? [] : await contaminationOf(hub, model.ref, once);
}
