import { ZephyrError } from '../errors.ts';
import type { Hub, TreeEntry } from '../hub/hub.ts';
import { formatRef } from '../model/artifact.ts';
import type { Artifact } from '../model/outcome.ts';
import type { Fate } from './explain.ts';

/** Pairs with human labels that a judge is calibrated with. */
export interface Pairs {
  readonly count: number;
  /** why the count is one, in words for the user */
  readonly guess?: string;
}

/** Where nobody can count them: as many as are enough, see `aif.judge.calibration`. */
const ENOUGH = 200;
/** Bytes that are read to count: more than any set that people have labelled. */
const MOST_BYTES = 32e6;
/** A pair of two conversations in a Parquet file, as ultrafeedback_binarized has them. */
const PAIR_BYTES = 3300;

/** Counts the pairs of the calibration that is yet to be made, in the files that the pin names; null where there is none. */
export async function pairsOf(fates: readonly Fate[], pins: ReadonlyMap<string, Artifact>, hub: Hub): Promise<Pairs | null> {
  const asks = fates.find(({ step, fate }) => fate === 'run' && step.calls?.some(({ items }) => items === 'pairs'));
  const input = asks?.step.inputs.calibration;
  if (asks === undefined || input === undefined) return null;
  const pin = input.from === 'hub' ? pins.get(input.ref) : undefined;
  if (pin === undefined)
    return { count: ENOUGH, guess: `the pairs that calibrate the judge are not on the Hub yet: ${ENOUGH} are assumed` };
  const [{ teachersConfig }, { ofSplit }] = await Promise.all([
    import('../stages/aif/judging/config.ts'),
    import('../datasets/rows.ts'),
  ]);
  const { split = 'train' } = teachersConfig.parse(asks.step.config).calibration ?? {};
  const tree = await hub.tree(pin.ref);
  const paths = ofSplit(
    tree.map(({ path }) => path),
    split,
  );
  const files = tree.filter(({ path }) => paths.includes(path));
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
  const bytes = (await hub.read(ref, path)) ?? new Uint8Array();
  if (path.endsWith('.parquet')) {
    const { parquetRows } = await import('../datasets/parquet.ts');
    try {
      return parquetRows(bytes);
    } catch (cause) {
      const message = `Cannot count the pairs in "${path}" of ${formatRef(ref)}, expected a whole Parquet file`;
      throw new ZephyrError(message, { hint: 'aif.judge.calibration names it: upload the file again', cause });
    }
  }
  const lines = Buffer.from(bytes).toString('utf8').split('\n');
  return lines.filter((line) => line.trim() !== '').length;
}
