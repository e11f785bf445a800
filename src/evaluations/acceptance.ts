import { ancestry } from '../hub/ancestry.ts';
import type { Hub } from '../hub/hub.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import type { StageBody } from '../stages/module.ts';
import type { TrainingCheck } from '../stages/training-checks.ts';

export interface CheckedTraining {
  /** ID of the artifact that the training made */
  readonly of: string;
  readonly stage: string;
  readonly checks: readonly TrainingCheck[];
}

/** A stage by its name, loaded or to be loaded. */
export type FindStage = (name: string) => Promise<Pick<StageBody, 'accept'> | undefined>;

/** The trainings that an artifact goes back to, nearest first, held to what such trainings are known to show. */
export async function acceptanceOf(hub: Hub, ref: ArtifactRef, find: FindStage): Promise<CheckedTraining[]> {
  const ancestors = await ancestry(hub, [ref]);
  const origins = ancestors.filter(({ manifest }) => manifest === undefined).map((one) => one.ref.name);
  const checked: CheckedTraining[] = [];
  for (const { ref: of, manifest } of ancestors) {
    if (manifest === undefined || !('train_loss' in manifest.metrics)) continue;
    const stage = await find(manifest.stage);
    if (stage?.accept === undefined) continue;
    const { config } = manifest.ingredients as { readonly config?: unknown };
    const checks = await stage.accept({ config, metrics: manifest.metrics, origins });
    if (checks.length > 0) checked.push({ of: formatRef(of), stage: manifest.stage, checks });
  }
  return checked;
}
