import { layoutOf, treeOf } from '../../../datasets/known-trees.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Hub, TreeEntry } from '../../../hub/hub.ts';
import { formatRef } from '../../../model/artifact.ts';
import type { Artifact } from '../../../model/outcome.ts';
import type { Count, CountSource } from '../../module.ts';
import { teachersConfig } from './config.ts';

/** The number of pairs that is assumed where it is unknown: what is enough by the help of `aif.judge.calibration`. */
const ENOUGH = 200;
/** Bytes that are read to count: more than any set that people have labelled. */
const MOST_BYTES = 32e6;
/** A pair of two conversations in a Parquet file, as ultrafeedback_binarized has them. */
const PAIR_BYTES = 3300;

/** The pairs with human labels that the judge is calibrated with, counted in the files that the pin names. */
export async function countPairs({ step, hub, input }: CountSource): Promise<Count> {
  const pin = input('calibration');
  if (pin === undefined)
    return { count: ENOUGH, guess: `the pairs that calibrate the judge are not on the Hub yet: ${ENOUGH} are assumed` };
  const { resolveSplit } = await import('../../../datasets/layout.ts');
  const { config, split = 'train' } = teachersConfig.parse(step.config).calibration ?? {};
  const [tree, layout] = await Promise.all([treeOf(hub, pin.ref), layoutOf(hub, pin.ref)]);
  let wanted: ReadonlySet<string>;
  try {
    wanted = new Set(resolveSplit(layout, { config, split }).files);
  } catch (error) {
    // `checkSources` says what is wrong with it, beside all other sources
    if (!(error instanceof ZephyrError)) throw error;
    return { count: ENOUGH, guess: `the pairs that calibrate the judge are not in their dataset: ${ENOUGH} are assumed` };
  }
  const files = tree.filter(({ path }) => wanted.has(path));
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (bytes > MOST_BYTES) {
    const count = Math.round(bytes / PAIR_BYTES);
    const size = `${Math.round(bytes / 1e6)} MB`;
    return { count, guess: `the judge is calibrated with all pairs of ${size}, about ${count}; 50 to 200 are enough` };
  }
  const counts = await Promise.all(files.map((file) => rowsIn(file, pin, hub)));
  return { count: counts.reduce((sum, count) => sum + count, 0) };
}

async function rowsIn({ path }: TreeEntry, { ref }: Artifact, hub: Hub): Promise<number> {
  const [{ countRows }, bytes] = await Promise.all([import('../../../datasets/rows.ts'), hub.read(ref, path)]);
  try {
    return await countRows(path, bytes ?? new Uint8Array());
  } catch (cause) {
    const message = `Cannot count the pairs in "${path}" of ${formatRef(ref)}, expected a whole Parquet or JSON Lines file`;
    throw new ZephyrError(message, { hint: 'aif.judge.calibration names it: upload the file again', cause });
  }
}
