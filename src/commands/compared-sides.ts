import { ZephyrError } from '../errors.ts';
import type { Side } from '../evaluations/compare.ts';
import { evaluationsOf, readEvaluation } from '../evaluations/read.ts';
import type { Hub } from '../hub/hub.ts';
import { readManifest } from '../hub/read-ref.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import { findArtifact } from './read-id.ts';

/** What is compared, as the user named it. */
export interface NamedSide extends Side {
  readonly id: string;
  readonly ref: ArtifactRef;
}

/** A model with its evaluations, or one evaluation of it. */
export async function sideOf(hub: Hub, id: string, label: string, action = 'compare'): Promise<NamedSide> {
  const ref = await findArtifact(hub, id);
  if (ref.type === 'dataset') {
    const kept = await readEvaluation(hub, ref);
    if (kept !== undefined) return { label, id, ref, evaluations: [kept] };
    throw new ZephyrError(`Cannot ${action} "${id}": the dataset is no evaluation, it has no evaluation.json`, {
      hint: 'name models, or what zephyr eval printed',
    });
  }
  const evaluations = await evaluationsOf(hub, { ref, digest: (await readManifest(hub, ref))?.digest });
  if (evaluations.length === 0)
    throw new ZephyrError(`Cannot ${action} "${id}": there is no evaluation of it on ${hub.name}`, {
      exit: 'preflight',
      hint: `make one: zephyr eval ${formatRef(ref)} --suite smoke`,
    });
  return { label, id, ref, evaluations };
}

/** One evaluation on both sides differs by nothing, which would look as if two models did. */
export function refuseTwice(sides: readonly NamedSide[]): void {
  const seen = new Map<string, string>();
  for (const { id, evaluations } of sides)
    for (const { ref } of evaluations) {
      const before = seen.get(formatRef(ref));
      if (before !== undefined)
        throw new ZephyrError(`Cannot compare "${before}" with "${id}": both have the evaluation ${formatRef(ref)}`, {
          hint: 'name two models of different weights, or two evaluations',
        });
      seen.set(formatRef(ref), id);
    }
}

/** Two evaluations of the same weights show what measuring again is worth. */
export function sameWeights(sides: readonly NamedSide[]): string[] {
  const byWeights = Map.groupBy(sides, ({ evaluations }) => evaluations[0]?.evaluation.model.digest);
  return [...byWeights.values()]
    .filter((same) => same.length > 1)
    .map((same) => `${same.map(({ label }) => label).join(' and ')} are one model: what differs comes of the measuring`);
}

export function sideDocument({ label, ref, evaluations }: NamedSide) {
  return { label, id: formatRef(ref), evaluations: evaluations.map((one) => formatRef(one.ref)) };
}
