import { EXIT, ZephyrError } from '../errors.ts';
import { compareSides } from '../evaluations/compare.ts';
import { contaminationLines, contaminationOf } from '../evaluations/contamination.ts';
import { publishedValues } from '../evaluations/published.ts';
import { beside } from '../evaluations/wording.ts';
import { formatRef } from '../model/artifact.ts';
import { type NamedSide, refuseTwice, sameWeights, sideDocument, sideOf } from './compared-sides.ts';
import { type Options, openQuietContext } from './context.ts';
import { benchmarkDocument, printComparison } from './print-comparison.ts';
import { printPublished } from './print-published.ts';
import { setDocument } from './verdict.ts';

type CompareOptions = Options & { readonly published?: boolean };

const MOST = 26;

/** `zephyr compare ID ID ...`: models, or single evaluations of them, item by item. */
export async function compare(ids: string[], options: CompareOptions): Promise<number> {
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
  const contamination = await Promise.all(
    sides.map(async ({ evaluations: [newest] }) =>
      newest === undefined ? [] : await contaminationOf(context.hub, newest.evaluation.model, benchmarks),
    ),
  );
  const told = contamination.flatMap((one, index) => contaminationLines(labels[index] as string, one));
  const notes = [...sameWeights(sides), ...beside(benchmarks, labels), ...told];
  if (options.json === true) {
    const published = options.published === true ? publishedValues(benchmarks.map(({ name }) => name)) : undefined;
    setDocument(
      sides.map(({ ref }) => formatRef(ref)),
      { sides: sides.map(sideDocument), benchmarks: benchmarks.map(benchmarkDocument), contamination, notes, published },
    );
    return EXIT.done;
  }
  for (const { label, ref } of sides) process.stdout.write(`${label}  ${formatRef(ref)}\n`);
  await printComparison(benchmarks, labels, notes);
  if (options.published === true) await printPublished(benchmarks);
  return EXIT.done;
}
