import type { ReadBy } from '../datasets/formats.ts';
import { layoutOf, smallFile, treeOf } from '../datasets/known-trees.ts';
import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { formatRef } from '../model/artifact.ts';
import type { Artifact } from '../model/outcome.ts';
import type { Reading } from '../stages/stage.ts';
import { LFS_POINTER } from '../store/lfs-pointer.ts';
import type { Decision } from './explain.ts';
import type { Plan, PlannedStep } from './plan.ts';

/** Bytes of a Git LFS pointer at most, by its specification. */
const POINTER_BYTES = 1024;

/**
 * Throws a `ZephyrError` (usage) that names every dataset on the Hub without the config, the splits or the files that a step
 * reads of it, before a step runs, which may be hours after the first. Steps that are used again, and datasets that are not
 * on the Hub, are passed over.
 */
export async function checkSources(decisions: readonly Decision[], plan: Plan, hub: Hub): Promise<void> {
  const readings = decisions
    .filter(({ action }) => action === 'run')
    .flatMap(({ step }) => (step.reads ?? []).map((reading) => ({ step, reading, source: sourceOf(step, reading, plan) })));
  const mistakes = await Promise.all(
    readings.map(async ({ step, reading, source }) => {
      if (source === undefined) return [];
      const found = await mistakesIn(reading, source.artifact, step.work.kind, hub);
      if (found.length === 0) return [];
      const told = [...new Set(found.map(({ message }) => message.replace(/^C/, 'c')))].join('; ');
      const hint = found.find((each) => each.hint !== undefined)?.hint;
      return [{ message: `Cannot take "${source.name}" for ${step.stage}/${step.name}: ${told}`, hint }];
    }),
  );
  const all = mistakes.flat();
  const [first] = all;
  if (first === undefined) return;
  if (all.length === 1) throw new ZephyrError(first.message, first.hint === undefined ? {} : { hint: first.hint });
  throw new ZephyrError(all.map(({ message, hint }) => (hint === undefined ? message : `${message} (${hint})`)).join('\n'));
}

/** The dataset of an input that is on the Hub already, under the name that the user knows. */
function sourceOf(
  step: PlannedStep,
  { input }: Reading,
  { pins, stageInputs }: Plan,
): { readonly name: string; readonly artifact: Artifact } | undefined {
  const from = step.inputs[input];
  const artifact =
    from?.from === 'hub'
      ? pins.get(from.ref)
      : from?.from === 'stage' && from.step === undefined
        ? stageInputs[from.stage]
        : undefined;
  if (artifact === undefined) return undefined;
  return { name: from?.from === 'hub' ? from.ref : formatRef(artifact.ref), artifact };
}

/** The first fault of each split. */
async function mistakesIn(
  { config, splits }: Reading,
  { ref }: Artifact,
  kind: PlannedStep['work']['kind'],
  hub: Hub,
): Promise<ZephyrError[]> {
  const [{ everyFile, resolveSplit }, { HERE, IN_JOBS }, tree] = await Promise.all([
    import('../datasets/layout.ts'),
    import('../datasets/formats.ts'),
    layoutOf(hub, ref),
  ]);
  const by: ReadBy = kind === 'job' ? IN_JOBS : HERE;
  const readers =
    splits === 'all' ? [() => everyFile(tree, by)] : splits.map((split) => () => resolveSplit(tree, { config, split }, by).files);
  const mistakes: ZephyrError[] = [];
  for (const files of readers)
    try {
      const found = files();
      if (found.length === 0) throw new ZephyrError(`Cannot find rows in it, expected ${by.expected}`);
      await refusePointers(found, ref, hub);
    } catch (error) {
      if (!(error instanceof ZephyrError) || error.exit !== 'usage') throw error;
      mistakes.push(error);
    }
  return mistakes;
}

/** A pointer is as small as few files of data are: these are read. */
async function refusePointers(files: readonly string[], ref: Artifact['ref'], hub: Hub): Promise<void> {
  const { pointerFound } = await import('../datasets/formats.ts');
  const wanted = new Set(files);
  const small = (await treeOf(hub, ref)).filter(
    ({ path, size }) => wanted.has(path) && size >= LFS_POINTER.length && size <= POINTER_BYTES,
  );
  for (const { path } of small) {
    const bytes = await smallFile(hub, ref, path);
    if (bytes !== undefined && Buffer.from(bytes).toString('latin1').startsWith(LFS_POINTER)) throw pointerFound(path);
  }
}
