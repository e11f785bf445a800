import { type Ancestor, ancestry } from '../hub/ancestry.ts';
import type { Hub } from '../hub/hub.ts';
import type { ArtifactRef } from '../model/artifact.ts';
import { type BenchmarkComparison, compareSides, type Side } from './compare.ts';
import { evaluationsOf, readEvaluation } from './read.ts';

/** A model beside those that it was trained from. */
export interface Gains {
  /** the first model first, the evaluated one last; labelled by the stage that made it */
  readonly sides: readonly Side[];
  /** with the differences of the last side alone */
  readonly comparisons: readonly BenchmarkComparison[];
}

/** What an evaluated model gained over those that it was trained from, as far as they have benchmarks of its evaluation; `undefined` for none. */
export async function gainsOf(hub: Hub, ref: ArtifactRef): Promise<Gains | undefined> {
  const own = await readEvaluation(hub, ref);
  if (own === undefined) return undefined;
  const names = new Set(own.evaluation.benchmarks.map(({ name }) => name));
  const [itself, ...parents] = await ancestry(hub, [own.evaluation.model], ({ type }) => type === 'model');
  const sides: Side[] = [{ label: labelOf(itself as Ancestor), evaluations: [own] }];
  for (const parent of parents) {
    const all = await evaluationsOf(hub, { ref: parent.ref, digest: parent.manifest?.digest });
    const evaluations = all.filter(({ evaluation }) => evaluation.benchmarks.some(({ name }) => names.has(name)));
    if (evaluations.length > 0) sides.unshift({ label: labelOf(parent), evaluations });
  }
  if (sides.length === 1) return undefined;
  const comparisons = await compareSides(hub, sides, 'last');
  // a parent's evaluation may have more benchmarks, of which this one says nothing
  return { sides, comparisons: comparisons.filter(({ name }) => names.has(name)) };
}

function labelOf({ ref, manifest }: Ancestor): string {
  return manifest?.stage ?? ref.name.slice(ref.name.indexOf('/') + 1);
}
