import { gainsOf } from '../evaluations/lineage.ts';
import { beside } from '../evaluations/wording.ts';
import type { Hub } from '../hub/hub.ts';
import type { ArtifactRef } from '../model/artifact.ts';
import { printComparison } from './print-comparison.ts';

/** An evaluation beside those of the models that the evaluated one was trained from; nothing where there are none. */
export async function showGains(hub: Hub, evaluation: ArtifactRef, stream: NodeJS.WriteStream): Promise<void> {
  const gains = await gainsOf(hub, evaluation);
  if (gains === undefined) return;
  const labels = gains.sides.map(({ label }) => label);
  stream.write('\nbeside the models that it was trained from\n');
  await printComparison(gains.comparisons, labels, beside(gains.comparisons, labels), stream);
}
