import { evaluationsOf, type KeptEvaluation, readItems } from '../../evaluations/read.ts';
import type { Hub } from '../../hub/hub.ts';
import { formatRef } from '../../model/artifact.ts';
import type { ReportArtifact, ReportEvaluation } from './facts.ts';

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
