import * as z from 'zod';
import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { readManifest } from '../hub/read-ref.ts';
import { type ArtifactRef, formatRef, type RepoType } from '../model/artifact.ts';
import type { Artifact } from '../model/outcome.ts';
import type { Stage } from '../stages/module.ts';

/**
 * Throws a `ZephyrError` (usage) for an artifact that cannot be what its stage makes: a dataset for a model, another
 * stage's dataset, an adapter without its model. A repo without a manifest of zephyr's is taken for what the user says.
 */
export async function checkStageInputs(
  stageInputs: Readonly<Record<string, Artifact>>,
  registry: readonly Stage[],
  hub: Hub,
): Promise<void> {
  for (const [stage, artifact] of Object.entries(stageInputs)) {
    const type = registry.find(({ name }) => name === stage)?.artifact;
    const why = await mismatch(stage, type, artifact, hub);
    if (why === undefined) continue;
    throw new ZephyrError(`Cannot use "${formatRef(artifact.ref)}" as the artifact of stage "${stage}": ${why}`, {
      hint: `name what zephyr ${stage} published with --${stage}; zephyr inspect ID says what an artifact is`,
    });
  }
}

/** Why an artifact is no whole model; `undefined` for one that is. */
export async function modelFault(ref: ArtifactRef, hub: Hub): Promise<string | undefined> {
  if (ref.type !== 'model') return `it is a ${ref.type}, expected a model`;
  const [manifest, tree] = await Promise.all([readManifest(hub, ref), hub.tree(ref)]);
  const made = manifest === undefined ? '' : `, made by ${manifest.stage}/${manifest.step}`;
  const files = new Set(tree.map(({ path }) => path));
  if (files.has('config.json')) return await writesNoText(hub, ref);
  return files.has('adapter_config.json')
    ? `it is an adapter without its model${made}; expected whole weights`
    : `it holds no config.json, which every model has${made}`;
}

const modelConfig = z.looseObject({ architectures: z.array(z.string()).nullish() });
const TEXT = /(ForCausalLM|LMHeadModel|ForConditionalGeneration)$/;

/** That a model is one without a head for words, such as a reward model; `undefined` for one that writes, or does not say what it is. */
export async function writesNoText(hub: Hub, ref: ArtifactRef): Promise<string | undefined> {
  const [architecture] = modelConfig.safeParse(await readJson(hub, ref, 'config.json')).data?.architectures ?? [];
  return architecture === undefined || TEXT.test(architecture) ? undefined : `it is a ${architecture}, which writes no text`;
}

async function mismatch(stage: string, type: RepoType | undefined, { ref }: Artifact, hub: Hub): Promise<string | undefined> {
  if (type === undefined) return undefined;
  if (ref.type !== type) return `it is a ${ref.type}, expected a ${type}`;
  if (type === 'model') return await modelFault(ref, hub);
  const manifest = await readManifest(hub, ref);
  if (manifest === undefined || manifest.stage === stage) return undefined;
  return `it is a dataset of stage "${manifest.stage}", made by ${manifest.stage}/${manifest.step}`;
}

/** A file as JSON; `undefined` where it is not there or is none. */
export async function readJson(hub: Hub, ref: ArtifactRef, path: string): Promise<unknown> {
  const bytes = await hub.read(ref, path);
  try {
    return bytes === undefined ? undefined : JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
