import { EXIT, ZephyrError } from '../errors.ts';
import { compareSides } from '../evaluations/compare.ts';
import { beside } from '../evaluations/wording.ts';
import { formatRef } from '../model/artifact.ts';
import { type NamedSide, refuseTwice, sameWeights, sideOf } from './compared-sides.ts';
import { type Options, openQuietContext } from './context.ts';
import { printComparison } from './print-comparison.ts';
import { setDocument } from './verdict.ts';

const MOST = 26;

/** `zephyr compare ID ID ...`: models, or single evaluations of them, item by item. */
export async function compare(ids: string[], options: Options): Promise<number> {
  if (ids.length < 2 || ids.length > MOST)
    throw new ZephyrError(`Cannot compare ${ids.length} of them: expected from 2 to ${MOST} IDs of models or evaluations`, {
      hint: 'zephyr compare ID ID; zephyr hub ls lists what is there',
    });
  await using context = await openQuietContext(options);
  const sides: NamedSide[] = [];
  for (const [index, id] of ids.entries()) sides.push(await sideOf(context.hub, id, String.fromCharCode(65 + index)));
  refuseTwice(sides);
  const benchmarks = await compareSides(context.hub, sides);
  const labels = sides.map(({ label }) => label);
  const notes = [...sameWeights(sides), ...beside(benchmarks, labels)];
  if (options.json === true) {
    const told = sides.map(({ label, ref, evaluations }) => ({
      label,
      id: formatRef(ref),
      evaluations: evaluations.map((one) => formatRef(one.ref)),
    }));
    const compared = benchmarks.map(({ values, ...rest }) => ({
      ...rest,
      values: values.map((one) => (one === undefined ? null : { ...one, from: formatRef(one.from.ref) })),
    }));
    setDocument(
      told.map(({ id }) => id),
      { sides: told, benchmarks: compared, notes },
    );
    return EXIT.done;
  }
  for (const { label, ref } of sides) process.stdout.write(`${label}  ${formatRef(ref)}\n`);
  await printComparison(benchmarks, labels, notes);
  return EXIT.done;
}
